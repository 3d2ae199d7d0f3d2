//! The list held to the texts: `texts.json` says how many of the key words that demand something stand in each section of
//! MCP's texts about authorization, and whom each of them binds. Every one that binds a client is a requirement of the list.
//!
//! `MCP_TEXTS=FOLDER cargo test --test clauses -- --ignored` counts anew, in a folder that has the files of both repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;

use crate::{Requirement, clause, requirements, root};

/// How often each key word stands there.
type Counts = BTreeMap<String, usize>;

/// Whom else a key word binds; `nobody` where it is only spoken of.
const OTHERS: [&str; 4] = ["server", "authorization server", "identity provider", "nobody"];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    about: String,
    texts: Vec<Text>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    document: String,
    file: String,
    sections: Vec<Section>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    section: String,
    heading: String,
    counts: Counts,
    binds: BTreeMap<String, Counts>,
}

impl Section {
    /// The requirements that a key word here is; one key word may be two of them.
    fn requirements(&self) -> impl Iterator<Item = (&str, &Counts)> {
        let own = self.binds.iter().filter(|(whom, _)| !OTHERS.contains(&whom.as_str()));
        own.flat_map(|(ids, counts)| ids.split(' ').map(move |id| (id, counts)))
    }
}

fn texts() -> Texts {
    serde_json::from_str(include_str!("texts.json")).unwrap()
}

/// The key words as levels have them.
fn level(word: &str) -> &str {
    match word {
        "SHALL" | "REQUIRED" => "MUST",
        "SHALL NOT" => "MUST NOT",
        "RECOMMENDED" => "SHOULD",
        "NOT RECOMMENDED" => "SHOULD NOT",
        word => word,
    }
}

/// What is wrong with the table, or with the list by its word.
fn astray(texts: &[Text], requirements: &[Requirement]) -> Vec<String> {
    let known: BTreeMap<_, _> = requirements.iter().map(|it| (it.id.as_str(), it)).collect();
    let (mut wrong, mut levels, mut named) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for text in texts {
        for section in &text.sections {
            let place = clause::clause(&text.document, &section.section);
            let mut sum = Counts::new();
            for (word, count) in section.binds.values().flatten() {
                *sum.entry(word.clone()).or_default() += count;
            }
            if sum != section.counts {
                wrong.push(format!("{place}: {:?} stand there, {sum:?} bind somebody", section.counts));
            }
            for (id, counts) in section.requirements() {
                match known.get(id) {
                    None => wrong.push(format!("{place}: {id} is no requirement")),
                    Some(it) if !it.clauses().any(|own| own == place) => {
                        wrong.push(format!("{id} does not say that it stands in {place}"));
                    }
                    Some(_) => {}
                }
                let words = counts.keys().map(|word| level(word).to_owned());
                levels.entry(id).or_insert_with(BTreeSet::new).extend(words);
                named.insert((id, text.document.as_str()));
            }
        }
    }
    let documents: BTreeSet<_> = texts.iter().map(|it| it.document.as_str()).collect();
    for it in requirements.iter().filter(|it| !["MAY", "says"].contains(&it.level.as_str())) {
        // The level is that of the document that it is listed under.
        let own = documents.contains(it.document.as_str());
        if own && levels.get(it.id.as_str()).is_some_and(|levels| !levels.contains(&it.level)) {
            wrong.push(format!("{} is no {} in the texts", it.id, it.level));
        }
        let stands_in = |document: &str| {
            it.clauses().any(|own| own.strip_prefix(document).is_some_and(|it| it.starts_with([',', ' '])))
        };
        for document in documents.iter().filter(|document| stands_in(document)) {
            if !named.contains(&(it.id.as_str(), *document)) {
                wrong.push(format!("{} is no key word of {document}", it.id));
            }
        }
    }
    wrong
}

#[test]
fn every_key_word_of_the_texts_binds_somebody() {
    let Texts { about, texts } = texts();
    let wrong = astray(&texts, &requirements().requirements);
    assert!(!about.is_empty() && wrong.is_empty(), "{}", wrong.join("\n"));
    let all: usize = texts.iter().flat_map(|it| &it.sections).flat_map(|it| it.counts.values()).sum();
    assert!(all > 200, "{all}");
}

#[test]
fn a_key_word_that_is_left_out_is_found() {
    let (all, list) = (texts().texts, requirements().requirements);
    let wrong = |change: fn(&mut Section)| {
        let mut texts = all.clone();
        change(&mut texts[0].sections[0]);
        astray(&texts, &list)
    };
    assert_eq!(wrong(|_| ()), [""; 0]);
    let transport = |section: &mut Section| section.binds.remove("transport").unwrap();
    for (change, said) in [
        (
            (|section| *section.counts.get_mut("MUST").unwrap() += 1) as fn(&mut Section),
            "{\"MUST\": 2, \"SHOULD\": 1, \"SHOULD NOT\": 1} stand there",
        ),
        (
            |section| drop(section.binds.remove("other-transports")),
            "other-transports is no key word of MCP 2025",
        ),
        (|section| section.section = "elsewhere".to_owned(), "stdio does not say that it stands in"),
    ] {
        let wrong = wrong(change);
        assert!(wrong.iter().any(|it| it.contains(said)), "{said}: {wrong:?}");
    }
    let renamed = |name: &str| {
        let mut texts = all.clone();
        let counts = transport(&mut texts[0].sections[0]);
        texts[0].sections[0].binds.insert(name.to_owned(), counts);
        astray(&texts, &list).join("\n")
    };
    assert!(renamed("no-such").contains("no-such is no requirement"));
    assert!(renamed("server").contains("transport is no key word of MCP 2025-11-25"));
    let mut must = list;
    must.iter_mut().find(|it| it.id == "transport").unwrap().level = "MUST".to_owned();
    assert_eq!(astray(&all, &must), ["transport is no MUST in the texts"]);
}

/// The key words of a text below each heading, outside of blocks of code.
fn counted(text: &str) -> Vec<(String, Counts)> {
    let (mut found, mut heading, mut code) = (Vec::<(String, Counts)>::new(), String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if line.starts_with('#') && !code {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        } else if !code {
            let words: Vec<_> =
                line.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect();
            for (at, word) in words.iter().enumerate() {
                let negated =
                    |word| words.get(at + 1).is_some_and(|next| *next == "NOT") && word != "RECOMMENDED";
                let word =
                    match *word {
                        "RECOMMENDED" if at > 0 && words[at - 1] == "NOT" => "NOT RECOMMENDED".to_owned(),
                        word @ ("MUST" | "SHALL" | "SHOULD" | "REQUIRED" | "RECOMMENDED") => {
                            if negated(word) { format!("{word} NOT") } else { word.to_owned() }
                        }
                        _ => continue,
                    };
                if found.last().is_none_or(|(last, _)| *last != heading) {
                    found.push((heading.clone(), Counts::new()));
                }
                *found.last_mut().unwrap().1.entry(word).or_default() += 1;
            }
        }
    }
    found
}

#[test]
fn key_words_are_counted_where_they_stand() {
    let text = "It **MUST** be.\n\n# One\n\n```\nMUST\n# No heading, SHOULD\n```\nA MUST NOT, a NOT RECOMMENDED, a must.\n\
        ## None\n\n# Two\n| REQUIRED/RECOMMENDED | SHOULD, SHOULD |\n";
    let found = counted(text).into_iter().map(|(heading, counts)| (heading, format!("{counts:?}")));
    let expected = [
        ("", r#"{"MUST": 1}"#),
        ("One", r#"{"MUST NOT": 1, "NOT RECOMMENDED": 1}"#),
        ("Two", r#"{"RECOMMENDED": 1, "REQUIRED": 1, "SHOULD": 2}"#),
    ];
    assert_eq!(
        found.collect::<Vec<_>>(),
        expected.map(|(heading, counts)| (heading.to_owned(), counts.to_owned()))
    );
}

#[test]
#[ignore = "needs the texts, which are not here: MCP_TEXTS says where"]
fn the_texts_have_as_many() {
    let folder = std::env::var("MCP_TEXTS").expect("MCP_TEXTS: the folder with the texts");
    for text in texts().texts {
        let read = fs::read_to_string(root().join(&folder).join(&text.file)).unwrap();
        let kept: Vec<_> = text.sections.into_iter().map(|it| (it.heading, it.counts)).collect();
        assert_eq!(counted(&read), kept, "{}", text.file);
    }
}
