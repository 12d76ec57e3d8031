//! Real nodes, real contracts and faulty wires for the tests of `poolctl`.
