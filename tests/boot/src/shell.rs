//! The shell of a small system around the appliance, on its serial line.

use crate::{Machine, until};

impl Machine {
    /// Runs a command in the shell on the serial line; what it printed.
    ///
    /// # Panics
    /// When it does not end, or fails.
    #[track_caller]
    pub fn shell(&mut self, command: &str) -> String {
        let console = &mut self.console;
        let mark = console.mark();
        // The shell echoes what is typed, so the markers are written in two pieces.
        console.type_line(&format!("echo BEG''IN; {command}; echo E''ND $?"));
        let (said, status) = until(&format!("{command:?} is done"), || {
            let text = console.text();
            let (_, later) = text.get(mark..)?.split_once("BEGIN\n")?;
            let (said, rest) = later.split_once("END ")?;
            let (status, _) = rest.split_once('\n')?;
            Some((said.to_owned(), status.trim().to_owned()))
        });
        assert_eq!(status, "0", "{command:?}: {said}");
        said
    }
}
