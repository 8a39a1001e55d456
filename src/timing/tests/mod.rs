//! The pipeline held against a model that looks at each millisecond.

mod agreement;
mod reference_model;
