//! Connections that stay open and send heartbeats.

use super::frame::{Frame, NONE, Role};
use super::machine::Machine;
use super::queue::{Due, Kind};

impl Machine<'_> {
    /// A connection opens; it sends heartbeats until it closes.
    pub(super) fn connect(&mut self, request: &Frame, lasts: f64) {
        let setup = self.setup;
        let Some(beat) = self.heartbeat(request.action) else { return };
        if setup.program.roots[request.action as usize].beat.is_none() {
            return;
        }
        let mut frame = request.of(Role::Connection, u32::from(request.action));
        // When it closes; a run does not wait for it.
        frame.since = (self.now + lasts).min(self.end_s);
        if self.now + beat < frame.since {
            let at = self.frames.open(frame);
            self.queue.push(self.now + beat, Due::new(Kind::Beat, at));
        }
    }

    fn heartbeat(&self, action: u16) -> Option<f64> {
        let connection = self.setup.scenario.actions[action as usize].connection.as_ref()?;
        connection.heartbeat.as_ref().map(|beat| beat.every.get())
    }

    pub(super) fn beat(&mut self, at: u32) {
        let mut frame = self.frames[at];
        let (Some(every), Some(branch)) =
            (self.heartbeat(frame.action), self.setup.program.roots[frame.action as usize].beat)
        else {
            self.frames.close(at);
            return;
        };
        let closes = frame.since;
        frame.slot = self.tally.slot();
        frame.object = NONE;
        self.send_off(&frame, branch);
        if self.now + every < closes {
            self.queue.push(self.now + every, Due::new(Kind::Beat, at));
        } else {
            self.frames.close(at);
        }
    }
}
