//! What the brokers of one container share.

use std::net::IpAddr;

use crate::dispatch::Dispatch;
use crate::env::{Env, Tasks};
use crate::remoting::Client;

use super::masters::Masters;
use super::members::Members;
use super::registration::Registrar;

/// Handed to every life; nothing in it belongs to one broker.
pub(super) struct Shared {
    pub(super) env: Env,
    pub(super) dispatch: Dispatch,
    pub(super) registrar: Registrar,
    /// Of this process, for the slaves in it.
    pub(super) masters: Masters,
    /// Between the members of DLedger groups.
    pub(super) members: Members,
    /// Calls of brokers to other brokers.
    pub(super) client: Client,
    /// Where all ports of brokers listen.
    pub(super) bind: IpAddr,
    /// The lives, so that the container can wait for their end.
    pub(super) lives: Tasks,
}
