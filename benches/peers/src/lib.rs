//! The same login, with the same documents and the same answers in memory, through others who do it.

pub mod alone;
pub mod least;
pub mod life;
pub mod rmcp;
pub mod suite;
