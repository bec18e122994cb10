//! The five systems as acceptance tests, and the proofs behind them. A scenario is named after its row in the requirements.

mod model;
