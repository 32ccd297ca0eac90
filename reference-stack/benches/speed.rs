//! How fast the stack is beside Debian's nginx, both asked by wrk: `cargo bench -p plimsoll-stack --bench speed`.
//!
//! Why beside another server: requests a second say as much of the machine as of the server. Servers take turns, each
//! is a process of its own, and what is compared is the processor time that *it* used, which hardly depends on who
//! else is busy. wrk runs on the same processors, and its time is shown.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_scenarios::units::{Count, Size};
use plimsoll_stack::{Stack, StackOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Turns of each server; the middle one counts.
const TURNS: usize = 5;
const TURN_S: u32 = 3;
/// Bytes of a song, and about those of a page.
const SONG_BYTES: usize = 5_000_000;
const PAGE_BYTES: usize = 1000;
/// The argument that makes this program the stack.
const SERVE: &str = "serve-the-stack";
/// A server must answer within this time.
const READY_MAX: Duration = Duration::from_mins(1);
/// What wrk writes in the end, in numbers.
const TELL: &str = "done = function(all) local e = all.errors \
    io.write(string.format('told %d %d %d %d\\n', all.requests, all.bytes, all.duration, \
    e.connect + e.read + e.write + e.timeout + e.status)) end\n";

fn main() -> Outcome<()> {
    if std::env::args().nth(1).is_some_and(|argument| argument == SERVE) {
        return serve();
    }
    for (program, package) in [("wrk", "wrk"), ("nginx", "nginx-light")] {
        let places = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
        if !places.iter().any(|place| Path::new(place).join(program).exists()) {
            println!("skipped: there is no {program} on this machine; `apt-get install {package}`");
            return Ok(());
        }
    }
    compare()
}

/// Measures both servers and prints what came out.
fn compare() -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let tell = directory.path().join("tell.lua");
    fs::write(&tell, TELL)?;
    let stack = StackProcess::start()?;
    let (page, page_bytes) = stack.page()?;
    let song = format!("{}/v1/songs/1/audio", stack.edge);
    let song_bytes = stack.get(&song)?.len();
    let nginx = Nginx::start(directory.path(), &stack.get(&page)?, &stack.get(&song)?)?;
    let processors = std::thread::available_parallelism()?.get();
    println!(
        "{processors} processors, shared with wrk; {TURNS} turns of {TURN_S} s each, the middle one counts"
    );

    println!("\na page of {page_bytes} B of JSON through a proxy, 32 connections");
    println!(
        "{:<32} {:>10} {:>14} {:>11} {:>14}",
        "", "requests/s", "us of server", "us of wrk", "least and most"
    );
    let ask = |url: &str, server: &Server| wrk(&tell, &stack.key, url, 32, server);
    let (ours, theirs) = turns(|| ask(&page, &stack.server), || ask(&nginx.page, &nginx.server))?;
    for (name, turns) in [("plimsoll: gateway, web", &ours), ("nginx: proxy, static file", &theirs)] {
        let (least, most) = ends(turns, Turn::rate);
        let middle = |of: fn(&Turn) -> f64| median(turns, of);
        println!(
            "{name:<32} {:>10.0} {:>14.1} {:>11.1} {:>6.0} {:>7.0}",
            middle(Turn::rate),
            middle(Turn::server_us),
            middle(Turn::client_us),
            least,
            most
        );
    }

    println!("\na play of {song_bytes} B that is in the cache of the edge, 4 connections");
    println!("{:<32} {:>10} {:>22} {:>22}", "", "GB/s", "GB/s of the server's", "least and most");
    let ask = |url: &str, server: &Server| wrk(&tell, &stack.key, url, 4, server);
    let (ours, theirs) = turns(|| ask(&song, &stack.server), || ask(&nginx.song, &nginx.server))?;
    for (name, turns) in [("plimsoll: edge", &ours), ("nginx: sendfile", &theirs)] {
        let (least, most) = ends(turns, Turn::bytes_per_cpu_s);
        println!(
            "{name:<32} {:>10.2} {:>22.2} {:>14.2} {:>7.2}",
            median(turns, Turn::bytes_per_s) / 1e9,
            median(turns, Turn::bytes_per_cpu_s) / 1e9,
            least / 1e9,
            most / 1e9
        );
    }
    let ratio = median(&ours, Turn::bytes_per_cpu_s) / median(&theirs, Turn::bytes_per_cpu_s);
    println!("{:<32} {ratio:>33.2}", "ratio of processor time");
    Ok(())
}

/// Two contestants in turn, after a warm-up of each.
fn turns(
    ours: impl Fn() -> Outcome<Turn>,
    theirs: impl Fn() -> Outcome<Turn>,
) -> Outcome<(Vec<Turn>, Vec<Turn>)> {
    ours()?;
    theirs()?;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        a.push(ours()?);
        b.push(theirs()?);
    }
    Ok((a, b))
}

/// What one turn came to.
#[derive(Debug)]
struct Turn {
    requests: f64,
    bytes: f64,
    seconds: f64,
    server_cpu_s: f64,
    client_cpu_s: f64,
}

impl Turn {
    fn rate(&self) -> f64 {
        self.requests / self.seconds
    }

    fn server_us(&self) -> f64 {
        self.server_cpu_s / self.requests * 1e6
    }

    fn client_us(&self) -> f64 {
        self.client_cpu_s / self.requests * 1e6
    }

    fn bytes_per_s(&self) -> f64 {
        self.bytes / self.seconds
    }

    fn bytes_per_cpu_s(&self) -> f64 {
        self.bytes / self.server_cpu_s
    }
}

fn sorted(turns: &[Turn], of: fn(&Turn) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = turns.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(turns: &[Turn], of: fn(&Turn) -> f64) -> f64 {
    sorted(turns, of)[turns.len() / 2]
}

fn ends(turns: &[Turn], of: fn(&Turn) -> f64) -> (f64, f64) {
    let values = sorted(turns, of);
    (values[0], values[values.len() - 1])
}

/// One turn of wrk, and what it cost the server.
fn wrk(tell: &Path, key: &str, url: &str, connections: u32, server: &Server) -> Outcome<Turn> {
    let (own, before) = (cpu_s("/proc/self/stat", 13..15)?, server.cpu_s()?);
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{TURN_S}s"), "--timeout", "20s"])
        .args(["-H", &format!("x-api-key: {key}"), "-s"])
        .args([tell.as_os_str(), url.as_ref()])
        .output()?;
    let server_cpu_s = server.cpu_s()? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.strip_prefix("told "));
    let numbers = told.map(|told| told.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>());
    match numbers.transpose()?.as_deref() {
        Some(&[requests, bytes, us, 0.0]) if requests > 0.0 => Ok(Turn {
            requests,
            bytes,
            seconds: us / 1e6,
            server_cpu_s,
            // It has ended, so its time is that of our children.
            client_cpu_s: cpu_s("/proc/self/stat", 13..15)? - own,
        }),
        _ => Err(format!("{url}: {text}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Seconds in some fields of a process's `stat`, in ticks, a hundred a second on Linux (proc(5)).
fn cpu_s(stat: &str, fields: std::ops::Range<usize>) -> Outcome<f64> {
    let text = fs::read_to_string(stat)?;
    let after = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 =
        after.skip(fields.start).take(fields.len()).map(|field| field.parse().unwrap_or(0.0)).sum();
    Ok(ticks / 100.0)
}

/// A server in processes of its own; it ends when this is dropped.
struct Server(Child);

impl Server {
    /// Processor time of the process and of those it has started, that still are there.
    fn cpu_s(&self) -> Outcome<f64> {
        let own = self.0.id();
        let mut sum = cpu_s(&format!("/proc/{own}/stat"), 11..13)?;
        for child in fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?.split_whitespace() {
            sum += cpu_s(&format!("/proc/{child}/stat"), 11..13)?;
        }
        Ok(sum)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The stack ends with its standard input, nginx's workers with their master.
        drop(self.0.stdin.take());
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// The stack, in a process of its own.
struct StackProcess {
    server: Server,
    key: String,
    edge: String,
    gateway: String,
}

impl StackProcess {
    fn start() -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let told = child.stdout.take().ok_or("no pipe")?;
        let server = Server(child);
        let mut lines = BufReader::new(told).lines();
        let mut line = || lines.next().ok_or("the stack did not start")?.map_err(Box::<dyn Error>::from);
        Ok(Self { key: line()?, edge: line()?, gateway: line()?, server })
    }

    /// A page of an artist's songs that is nearest to the size that is wanted, and its bytes.
    fn page(&self) -> Outcome<(String, usize)> {
        let mut best = (String::new(), usize::MAX);
        for limit in 1..=10 {
            let url = format!("{}/v1/artists/1/songs?limit={limit}", self.gateway);
            let bytes = self.get(&url)?.len();
            if bytes.abs_diff(PAGE_BYTES) < best.1.abs_diff(PAGE_BYTES) {
                best = (url, bytes);
            }
        }
        Ok(best)
    }

    /// The body of an answer, on a connection of its own.
    fn get(&self, url: &str) -> Outcome<Vec<u8>> {
        get(url, &format!("x-api-key: {}\r\n", self.key))
    }
}

/// What the child process does: plays the stack until nobody holds its standard input.
fn serve() -> Outcome<()> {
    let mut scenario = plimsoll_scenarios::load("spotify")?.scaled_for_load()?;
    scenario.datasets["song"].count = Count::given(40.0, "40");
    scenario.datasets["song"].size = Size::given(SONG_BYTES as f64, "5 MB");
    for tier in ["edge", "shield"] {
        if let Some(cache) = &mut scenario.tiers[tier].cache {
            cache.capacity = Size::given(50.0 * SONG_BYTES as f64, "50 songs");
        }
    }
    let stack = Stack::start(&scenario, &StackOptions { emulate: false, ..StackOptions::default() })?;
    let at = stack.endpoints();
    println!("{}\n{}\n{}", at.api_key, at.tiers["edge"][0], at.tiers["gateway"][0]);
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    stack.stop();
    Ok(())
}

/// nginx as Debian builds it: static files, sent by sendfile, and a proxy before them.
struct Nginx {
    server: Server,
    page: String,
    song: String,
}

impl Nginx {
    fn start(directory: &Path, page: &[u8], song: &[u8]) -> Outcome<Self> {
        let (files, proxy) = (free_port()?, free_port()?);
        let root = directory.join("files");
        fs::create_dir(&root)?;
        fs::write(root.join("page.json"), page)?;
        fs::write(root.join("song.mp3"), song)?;
        let at = directory.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {at}/{what}; "))
            .concat();
        // As whoever started it: the files are in a private directory.
        let config = format!(
            "user root;\ndaemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log stderr error;\n\
             events {{ worker_connections 1024; }}\nhttp {{\n  access_log off; sendfile on; tcp_nopush on; \
             keepalive_requests 1000000; {temporary}\n  types {{ application/json json; audio/mpeg mp3; }}\n  \
             upstream files {{ server 127.0.0.1:{files}; keepalive 64; }}\n  \
             server {{ listen 127.0.0.1:{files} reuseport; root {at}/files; }}\n  \
             server {{ listen 127.0.0.1:{proxy} reuseport; location / {{ proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_pass http://files; }} }}\n}}\n"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, config)?;
        let arguments: [PathBuf; 6] =
            ["-p".into(), directory.into(), "-e".into(), "stderr".into(), "-c".into(), file];
        let path = format!("/usr/sbin:{}", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("nginx").env("PATH", path).args(arguments).stderr(Stdio::null()).spawn()?;
        let server = Server(child);
        let page = format!("http://127.0.0.1:{proxy}/page.json");
        let began = Instant::now();
        while get(&page, "").is_err() {
            if began.elapsed() > READY_MAX {
                return Err("nginx does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { server, page, song: format!("http://127.0.0.1:{files}/song.mp3") })
    }
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The body of an answer, on a connection of its own.
fn get(url: &str, header: &str) -> Outcome<Vec<u8>> {
    let rest = url.strip_prefix("http://").ok_or("an URL")?;
    let (authority, path) = rest.split_once('/').ok_or("a path")?;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(READY_MAX))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n{header}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("no head")?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(format!("{url}: {}", String::from_utf8_lossy(&answer[..head])).into());
    }
    Ok(answer.split_off(head + 4))
}
