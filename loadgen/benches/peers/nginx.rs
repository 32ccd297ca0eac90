//! An nginx of our own: one worker, keep-alive, one file of 1,000 bytes, on a free loopback port.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;

pub struct Nginx {
    pub url: String,
    process: Child,
    _directory: TempDir,
}

const READY_MAX: Duration = Duration::from_secs(5);
/// Ends what it has started when its standard input does, so that nothing is left behind however the bench ends.
const GUARDIAN: &str = r#""$0" "$@" & server=$!; read -r _; kill "$server"; wait "$server""#;

impl Nginx {
    /// Starts it, and waits until it listens.
    pub fn start(program: &Path) -> Outcome<Self> {
        let directory = tempfile::Builder::new().prefix("plimsoll-peers-").tempdir()?;
        // Its worker may be another user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        fs::write(directory.path().join("item"), [b'x'; 1_000])?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = directory.path().display().to_string();
        fs::write(directory.path().join("nginx.conf"), configuration(&place, port))?;
        let mut process = Command::new("sh")
            .args(["-c", GUARDIAN])
            .arg(program)
            .args(["-p", &place, "-c", &format!("{place}/nginx.conf"), "-e", &format!("{place}/error.log")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let deadline = Instant::now() + READY_MAX;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                end(&mut process);
                return Err(format!("{} does not listen on port {port}", program.display()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { url: format!("http://127.0.0.1:{port}"), process, _directory: directory })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(guardian: &mut Child) {
    drop(guardian.stdin.take());
    // Its status says nothing that matters now.
    let _ = guardian.wait();
}

fn configuration(place: &str, port: u16) -> String {
    let mut text =
        format!("daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\n");
    text +=
        "events { worker_connections 4096; }\nhttp {\n  access_log off;\n  keepalive_requests 1000000000;\n";
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "  {kind}_temp_path {place}/{kind};");
    }
    let _ =
        write!(text, "  server {{\n    listen 127.0.0.1:{port} backlog=4096;\n    root {place};\n  }}\n}}\n");
    text
}
