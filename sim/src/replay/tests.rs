//! The same requests in every kind of trace give the same figures, and what is wrong is said where it is.

use std::io::{Cursor, Read};

use super::*;

const REQUESTS: [(u32, u64, u32); 6] =
    [(1, 7, 100), (2, 8, 200), (3, 7, 100), (4, 9, 300), (5, 8, 200), (6, 7, 100)];

fn oracle(requests: &[(u32, u64, u32)]) -> Vec<u8> {
    let pack = |&(time, id, size): &(u32, u64, u32)| {
        [&time.to_le_bytes()[..], &id.to_le_bytes(), &size.to_le_bytes(), &(-1_i64).to_le_bytes()].concat()
    };
    requests.iter().flat_map(pack).collect()
}

fn csv() -> Vec<u8> {
    let lines = REQUESTS.map(|(time, id, size)| format!("{time},{id},{size}\n"));
    lines.concat().into()
}

fn log() -> Vec<u8> {
    let line = |(time, id, size): &(u32, u64, u32)| {
        format!(
            "10.0.0.1 - - [21/Nov/2026:18:30:0{time} +0000] \"GET /{id} HTTP/1.1\" 200 {size} \"-\" \"a b\"\n"
        )
    };
    REQUESTS.iter().map(line).collect::<Vec<_>>().concat().into()
}

fn options(capacities: &[Capacity]) -> Options {
    let policies = vec![Policy::Lru, Policy::Fifo];
    let rules = Rules::NONE;
    Options { policies, capacities: capacities.to_vec(), rules, curve: true, fit: false, threads: 2 }
}

fn played(bytes: Vec<u8>, format: Option<TraceFormat>) -> Result<Replay, TraceError> {
    let two = NonZeroU64::new(2).unwrap();
    let some = NonZeroU64::new(300).unwrap();
    let trace = Trace::open(Cursor::new(bytes), format)?;
    let options = options(&[Capacity::Objects(two), Capacity::Bytes(some)]);
    replay(trace, "test", &options, &mut |_| {}, &AtomicBool::new(false))
}

fn message(text: &[u8], format: Option<TraceFormat>) -> String {
    played(text.to_vec(), format).unwrap_err().to_string()
}

#[test]
fn every_format_gives_the_same_figures_packed_or_not() {
    let known = played(oracle(&REQUESTS), None).unwrap();
    assert_eq!((known.requests, known.objects, known.bytes), (6, 3, 1000));
    let figures: Vec<(u64, u64)> = known.rows.iter().map(|r| (r.misses, r.bytes_missed)).collect();
    // Hits in brackets. LRU of 2 objects: 7 8 (7) 9 8 7. FIFO: 7 8 (7) 9 (8) 7. In 300 bytes, 9 pushes
    // out all: 7 8 (7) 9 8 7.
    assert_eq!(figures, [(5, 900), (5, 900), (4, 700), (5, 900)]);
    let curve = known.curve.clone().unwrap();
    assert_eq!(curve.first_requests, 3);
    assert_eq!(
        curve.points.iter().map(|p| (p.objects, p.misses)).collect::<Vec<_>>(),
        [(1, 6), (2, 5), (3, 3)]
    );
    for (bytes, format) in [(oracle(&REQUESTS), "oracle-general"), (csv(), "csv"), (log(), "access-log")] {
        let packed =
            ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
        for bytes in [bytes, packed] {
            let found = played(bytes, None).unwrap();
            assert_eq!(found, Replay { format: format.to_owned(), ..known.clone() });
        }
    }
}

#[test]
fn a_header_may_order_the_columns_and_keys_may_be_quoted() {
    let text =
        b"\xEF\xBB\xBFsize,op,key\r\n100,get,\"/a,\"\"b\"\"\"\r\n\r\n50,get,/c\r\n100,get,\"/a,\"\"b\"\"\"";
    let found = played(text.to_vec(), None).unwrap();
    assert_eq!((found.requests, found.objects, found.bytes), (3, 2, 250));
}

#[test]
fn a_log_counts_what_a_cache_could_answer() {
    let text = b"h - - [t] \"GET /a HTTP/1.1\" 200 10\nh - - [t] \"POST /a HTTP/1.1\" 200 10\n\
        h - - [t] \"GET /a HTTP/1.1\" 304 -\nh - - [t] \"GET /b\\\"c HTTP/1.1\" 404 5\nh - - [t] \"\\x16\" 400 0\n";
    let found = played(text.to_vec(), None).unwrap();
    assert_eq!((found.requests, found.objects, found.bytes), (2, 1, 10));
    assert!(found.notes.iter().any(|n| n.starts_with("3 lines were passed over")), "{:?}", found.notes);
}

#[test]
fn mistakes_are_said_with_their_place() {
    let csv = Some(TraceFormat::Csv);
    let log = Some(TraceFormat::AccessLog);
    for (text, format, expected) in [
        (&b"1,a,5\n2,b,x\n"[..], None, "line 2, column 5: `x` is no size in bytes"),
        (b"1,a,5\n2,b,-5\n", None, "line 2, column 5: `-5` is no size in bytes"),
        (b"1,a,5\n\n3,b\n", None, "line 3, column 4: 2 columns where 3 are needed"),
        (b"1,a,5\n2,\"b,6\n", None, "line 2, column 3: a quote is not closed"),
        (b"when,what,how\n", csv, "line 1, column 1: `when,what,how` is neither"),
        (b"", csv, "the trace has no requests"),
        (b"\n\n", None, "the trace has no requests"),
        (b"time,key,size\n", None, "the trace has no requests"),
        (b"h - - [t] \"PUT /a HTTP/1.1\" 200 1\n", None, "all 1 lines are of other methods"),
        (b"h - - [t] \"GET /a\n", log, "line 1, column 11: the quote of the request is not closed"),
        (b"h - - [t] \"GET /a HTTP/1.1\" ok 5\n", log, "line 1, column 28: no status"),
        (b"nothing of use", None, "cannot tell what kind of trace this is"),
        (b"\x1F\x8B\x08", None, "packed with gzip\nhint: `gzip -dc TRACE"),
        (&oracle(&REQUESTS)[..60], None, "record 3 is cut short: 12 of 24 bytes"),
        (b"\x28\xB5\x2F\xFDxx", None, "unpacking failed after 0 bytes"),
    ] {
        let found = message(text, format);
        assert!(found.contains(expected), "{found}\nexpected {expected}");
    }
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads_and_pieces() {
    /// Gives one byte at a time.
    struct Slow(Cursor<Vec<u8>>);
    impl Read for Slow {
        fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut target[..1])
        }
    }
    let mut random = plimsoll_scenarios::rng::Stream::splitmix(1);
    // More than one batch, so that tables grow under way.
    let requests: Vec<(u32, u64, u32)> = (0..150_000)
        .map(|time| {
            let id = random.below(1 + random.clone().below(50_000));
            (time, id, 1 + (id % 1_000) as u32)
        })
        .collect();
    let capacities = [
        Capacity::Objects(NonZeroU64::MIN.saturating_add(999)),
        Capacity::Bytes(NonZeroU64::MIN.saturating_add(99_999)),
    ];
    let policies: Vec<Policy> = Policy::NAMES.iter().map(|(_, policy)| *policy).collect();
    let all = |threads| Options {
        policies: policies.clone(),
        capacities: capacities.to_vec(),
        rules: Rules::NONE,
        curve: true,
        fit: true,
        threads,
    };
    let go = |source: Box<dyn Read + Send>, threads| {
        let trace = Trace::open(source, None).unwrap();
        replay(trace, "test", &all(threads), &mut |_| {}, &AtomicBool::new(false)).unwrap()
    };
    let one = go(Box::new(Cursor::new(oracle(&requests))), 1);
    assert_eq!(one, go(Box::new(Slow(Cursor::new(oracle(&requests)))), 4));
    let lru = one.rows.iter().find(|r| r.policy == "LRU" && r.capacity == 1000).unwrap();
    let point = one.curve.as_ref().and_then(|c| c.points.iter().find(|p| p.objects == 1000)).unwrap();
    assert_eq!(lru.misses, point.misses);
}

#[test]
fn a_stop_keeps_what_was_played_and_says_so() {
    let requests: Vec<(u32, u64, u32)> = (0..200_000).map(|i| (i, u64::from(i % 9), 1)).collect();
    let trace = Trace::open(Cursor::new(oracle(&requests)), None).unwrap();
    let stop = AtomicBool::new(true);
    let found = replay(trace, "test", &options(&[]), &mut |_| {}, &stop).unwrap();
    assert!(found.provenance.partial);
    assert_eq!(found.requests, BATCH as u64);
}

/// Misses of LRU with room for three objects.
fn ruled(bytes: Vec<u8>, rules: Rules) -> Result<u64, TraceError> {
    let three = Capacity::Objects(NonZeroU64::new(3).unwrap());
    let options = Options { policies: vec![Policy::Lru], rules, ..options(&[three]) };
    let trace = Trace::open(Cursor::new(bytes), None)?;
    Ok(replay(trace, "test", &options, &mut |_| {}, &AtomicBool::new(false))?.rows[0].misses)
}

#[test]
fn rules_hold_in_every_format_by_its_times_and_sizes() {
    for trace in [oracle(&REQUESTS), csv(), log()] {
        let misses = |rules| ruled(trace.clone(), rules).unwrap();
        assert_eq!(misses(Rules::NONE), 3);
        // Hits in brackets, seconds behind: 7@1 8@2 (7)@3 9@4 8@5 7@6, the last two 3 and 5 seconds old.
        assert_eq!(misses(Rules { ttl_s: 3.0, ..Rules::NONE }), 5);
        assert_eq!(misses(Rules { ttl_s: 4.0, ..Rules::NONE }), 4);
        // Kept at the second request, hit at the third: 7 7 (7), 8 8.
        assert_eq!(misses(Rules { on_second: true, ..Rules::NONE }), 5);
        // 9 has 300 bytes and was asked for once; 8 with 200 is asked for twice.
        assert_eq!(misses(Rules { size_max: 200, ..Rules::NONE }), 3);
        assert_eq!(misses(Rules { size_max: 199, ..Rules::NONE }), 4);
    }
}

#[test]
fn a_time_to_live_needs_times() {
    let rules = Rules { ttl_s: 3.0, ..Rules::NONE };
    let told = ruled(b"key,size\n7,100\n".to_vec(), rules).unwrap_err().to_string();
    assert!(told.contains("there is no column of times") && told.contains("line 2"), "{told}");
    let told = ruled(b"noon,7,100\n".to_vec(), rules).unwrap_err().to_string();
    assert!(told.contains("`noon` is no time in seconds"), "{told}");
    assert_eq!(ruled(b"ts,key,size\n5,7,100\n1,7,100\n9,7,100\n".to_vec(), rules).unwrap(), 2);
}
