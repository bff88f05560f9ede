//! One member at a time, word for word.
