//! Metadata: a cache of answers before a relational database with full-text search.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::Op;
use crate::catalogue_db::{CatalogueDb, DbFault, Question};
use crate::inner::{Answered, Fault, Replicas};
use crate::through::{Keeper, ReadThrough};

/// The two tiers; the cache calls the database on a miss.
#[derive(Debug)]
pub struct Metadata {
    cache_replicas: Replicas,
    cache: ReadThrough,
    db_replicas: Replicas,
    database: CatalogueDb,
    /// Size to which a page of search results is padded.
    search_bytes: usize,
}

impl Metadata {
    pub fn new(
        cache_replicas: Replicas,
        cache: Option<Keeper>,
        db_replicas: Replicas,
        database: CatalogueDb,
        search_bytes: usize,
    ) -> Arc<Self> {
        let cache = ReadThrough::of(cache);
        Arc::new(Self { cache_replicas, cache, db_replicas, database, search_bytes })
    }

    /// The answer as JSON text.
    pub async fn ask(&self, op: Op, question: Question) -> Answered<Bytes> {
        let key = question.key();
        let mut stay = self.cache_replicas.enter(op).await;
        let mut served_by = self.cache_replicas.tier;
        let result = match stay.pass(self.cache.get(&key)).await {
            Err(refused) => Err(refused),
            Ok(known) => {
                let fetch = self.ask_database(op, question);
                self.cache.or_fetch(&key, known, &mut stay.visit, &mut served_by, fetch).await
            }
        };
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, served_by, bytes).await
    }

    /// Forgets all answers.
    pub fn clear_cache(&self) {
        self.cache.clear();
    }

    /// Puts in one more song, and forgets the answers that lack it. Blocks.
    ///
    /// # Errors
    /// What went wrong.
    pub fn publish(&self, song: u64) -> Result<(), String> {
        self.database.publish(song)?;
        self.clear_cache();
        Ok(())
    }

    async fn ask_database(&self, op: Op, question: Question) -> Answered<Bytes> {
        let (pad, what) = match question {
            Question::Search(..) => (self.search_bytes, "page"),
            Question::Song(_) => (0, "song"),
            Question::Artist(_) | Question::ArtistSongs(..) => (0, "artist"),
            Question::Album(_) => (0, "album"),
        };
        let mut stay = self.db_replicas.enter(op).await;
        let result = stay.pass(self.database.ask(question)).await.and_then(|rows| {
            let rows = rows.map_err(|fault| match fault {
                #[cfg(feature = "services")]
                DbFault::Down => Fault::Down(self.db_replicas.tier),
                DbFault::Broken(cause) => Fault::Broken { tier: self.db_replicas.tier, cause },
            })?;
            let mut text = rows.ok_or_else(|| Fault::Missing(format!("there is no such {what}")))?;
            // JSON may end in white space.
            text.resize(text.len().max(pad), b' ');
            Ok(Bytes::from(text))
        });
        let bytes = result.as_ref().map_or(0, Bytes::len);
        stay.leave(result, self.db_replicas.tier, bytes).await
    }
}
