//! A way in words.

use crate::moves::{Move, Of};
use crate::process::Op;
use crate::state::State;

impl State {
    fn flight_in_words(&self, of: Of) -> String {
        let flight = match of {
            Of::Process(place, number) => &self.processes[place].flights[number],
            Of::Nobody(number) => &self.orphans[number],
        };
        let op = match &*flight.op {
            Op::Load(load) if load.exclusive().is_some() => "exclusive load".to_owned(),
            Op::Load(_) => "load".to_owned(),
            Op::Store(save) => format!("write of {:?}", save.credential().generation),
            Op::Forget(_) => "forget".to_owned(),
            Op::Send(send) => format!("{:?}", send.purpose()),
        };
        let back = flight.back.as_ref().map_or(String::new(), |back| {
            let text = format!("{back:?}");
            let text = text.replace("Credential { version: 1, generation: ", "");
            format!(", answer {}", text.split(", server:").next().unwrap_or_default())
        });
        format!("{op} of process {}{back}", flight.process)
    }

    /// What a step is, seen from the state before it.
    pub(crate) fn told(&self, step: Move) -> String {
        let flight = match step {
            Move::Effect(of) => Some(of),
            Move::Deliver(place, number) => Some(Of::Process(place, number)),
            Move::Fault(fault) => fault.flight().map(|(place, number)| Of::Process(place, number)),
            _ => None,
        };
        let flight = flight.map_or(String::new(), |of| self.flight_in_words(of));
        format!("{} {step:?} {flight}", self.now - crate::state::BEGIN)
    }
}
