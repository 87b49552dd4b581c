//! Whole machines as text, and what must hold of every rendered environment.

mod common;
mod foreign;
mod inputs;
mod machines;
mod other;
mod roles;
