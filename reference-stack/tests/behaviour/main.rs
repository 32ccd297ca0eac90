//! How the service behaves, whatever it is made of.
//!
//! Why by URL only: another profile of the same service must pass the very same tests. They know a base URL, an
//! admin URL and the keys, and nothing of what is behind them. With `PLIMSOLL_STACK_CARD` set to the card of a stack
//! that is up (`stack.json` in its directory) they run against that one; use `--test-threads 1` then, for they
//! break things. Otherwise each test starts a stack of its own: an
//! embedded one, or with `PLIMSOLL_STACK_PROFILE=services` (and the feature `services`) one of real servers.

mod api;
mod breaks;
mod caching;
mod limits;
mod parts;
mod service;
