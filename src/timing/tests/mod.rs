//! Compares the pipeline with a reference model that is played step by step.

mod agreement;
mod reference_model;
