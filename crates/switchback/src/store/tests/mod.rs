//! What the store promises, shown whole.
