//! Judgements over documents, without a network.
