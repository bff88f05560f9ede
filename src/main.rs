//! Arguments -> configuration -> container -> exit code.

fn main() {}
