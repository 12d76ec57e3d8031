//! The library of `poolctl`: everything that is true without a terminal.
