//! The goose attack: its users take requests from the pacer's queue and send them.
//!
//! One transaction is one request: goose starts the users, runs their loops and counts their iterations,
//! and waits for them at the end. What it must not do is set aside here: it reads no command line, prints
//! nothing, listens on no port, keeps no metrics (ours count from the intended start), and opens no
//! connection with its own client, which all users share, unused.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use goose::{GooseAttack, GooseError};

use crate::client::{self, HttpClient};
use crate::pace::Planned;
use crate::queue::Queue;
use crate::record::Shared;

/// What every user needs.
#[derive(Debug)]
pub struct Work {
    pub queue: Arc<Queue<Planned>>,
    pub client: HttpClient,
    pub timeout: Duration,
    pub shared: Arc<Shared>,
}

/// Users a second that goose starts; far more than it can, so that all start at once.
const START_RATE: &str = "1000000";

/// An attack by `users` users that ends when the queue is closed and empty.
pub fn attack(work: Work, users: usize, host: &str) -> Result<GooseAttack, GooseError> {
    let mut configuration =
        GooseConfiguration::parse_args_default(&["--no-metrics", "--no-telnet", "--quiet"])?;
    configuration.host = Some(host.to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some(START_RATE.to_owned());

    let work = Arc::new(work);
    let arrived = Arc::clone(&work.shared);
    let arrive = Transaction::new(Arc::new(move |_| {
        arrived.ready.fetch_add(1, Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }))
    .set_on_start();
    let request = Transaction::new(Arc::new(move |user| Box::pin(one_request(user, Arc::clone(&work)))));
    let scenario = Scenario::new("plimsoll").register_transaction(arrive).register_transaction(request);
    Ok(GooseAttack::initialize_with_config(configuration)?
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}

/// Takes the next due request, sends it and records what came of it.
async fn one_request(user: &mut GooseUser, work: Arc<Work>) -> TransactionResult {
    let Some(planned) = work.queue.pop().await else {
        // The schedule is over. A user ends after so many iterations, and this is one; once all users
        // have ended, goose ends the attack.
        user.config.iterations = Some(1);
        return Ok(());
    };
    if work.shared.halted() {
        // Planned and not sent: missed.
        return Ok(());
    }
    let number = user.weighted_users_index;
    work.shared.sending(number, &planned);
    let Planned { due, route, counted, request } = planned;
    let outcome = client::send(&work.client, request, work.timeout).await;
    work.shared.ended(number, due, route, counted, outcome);
    Ok(())
}
