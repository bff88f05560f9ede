//! Requests against a core on a real store: what is answered, what changes, what goes out.

mod admin;
mod clients;
mod pulling;
mod replicas;
mod sending;
