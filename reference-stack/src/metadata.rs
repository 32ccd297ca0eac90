//! Metadata: a cache of answers before a relational database with full-text search.

use std::sync::Arc;

use bytes::Bytes;

use crate::database::{Database, Question};
use crate::inner::{Answered, Fault, Replicas};
use crate::through::ReadThrough;

/// The two tiers; the cache calls the database on a miss.
#[derive(Debug)]
pub struct Metadata {
    cache_replicas: Replicas,
    cache: ReadThrough,
    db_replicas: Replicas,
    database: Database,
    /// Size to which a page of search results is padded.
    search_bytes: usize,
}

impl Metadata {
    pub fn new(
        cache_replicas: Replicas,
        cache_bytes: Option<u64>,
        db_replicas: Replicas,
        database: Database,
        search_bytes: usize,
    ) -> Arc<Self> {
        let cache = ReadThrough::new(cache_bytes);
        Arc::new(Self { cache_replicas, cache, db_replicas, database, search_bytes })
    }

    /// The answer as JSON text.
    pub async fn ask(&self, question: Question) -> Answered<Bytes> {
        let key = question.key();
        let mut stay = self.cache_replicas.enter().await;
        let mut served_by = self.cache_replicas.tier;
        let result = match stay.pass(async { self.cache.get(&key) }).await {
            Err(full) => Err(full),
            Ok(known) => {
                let fetch = self.ask_database(question);
                self.cache.or_fetch(&key, known, &mut stay.visit, &mut served_by, fetch).await
            }
        };
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, served_by, bytes).await
    }

    async fn ask_database(&self, question: Question) -> Answered<Bytes> {
        let pad = match question {
            Question::Search(_) => self.search_bytes,
            Question::Song(_) => 0,
        };
        let mut stay = self.db_replicas.enter().await;
        let result = stay.pass(self.database.ask(question)).await.and_then(|rows| {
            let rows = rows.map_err(|cause| Fault::Broken { tier: self.db_replicas.tier, cause })?;
            let mut text =
                rows.ok_or_else(|| Fault::Missing("there is no such song; songs count from 1".to_owned()))?;
            // JSON may end in white space.
            text.resize(text.len().max(pad), b' ');
            Ok(Bytes::from(text))
        });
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, self.db_replicas.tier, bytes).await
    }
}
