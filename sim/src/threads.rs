//! Jobs on threads, with results that do not depend on who ran them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Runs jobs on up to `threads` threads; results come in the order of the jobs. `None` for a job
/// that had not begun when `stop` was raised.
pub fn parallel<J: Sync, T: Send>(
    jobs: &[J],
    threads: usize,
    stop: &AtomicBool,
    run: impl Fn(&J) -> T + Sync,
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut mine = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            mine.push((index, run(job)));
        }
        mine
    };
    let finished: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut results: Vec<Option<T>> = jobs.iter().map(|_| None).collect();
    for (index, result) in finished {
        results[index] = Some(result);
    }
    results
}
