//! The supervisor's floor: what the process does for all its brokers together.
//!
//! ```text
//! brokers --update, remove--> registration --103, 322, 904, 104--> NameServers, inside or outside
//! ```

pub mod registration;
