//! Sees the configuration file replaced, by inotify on its folder, as a watch on the file itself would follow the old one.

use std::mem::MaybeUninit;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::{Event, Teller, console, threads};

/// Bytes of events read at once.
const EVENTS_BYTES: usize = 4096;

/// Tells [`Event::Configuration`] whenever the file `name` in `folder` was written or replaced.
pub(crate) fn start(folder: &Path, name: &'static str, teller: Teller) {
    let watched = inotify::init(CreateFlags::CLOEXEC).and_then(|watch| {
        inotify::add_watch(&watch, folder, WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO)?;
        Ok(watch)
    });
    let watch = match watched {
        Ok(watch) => watch,
        Err(error) => {
            return console::say(&format!("{} is not watched: {error}", folder.join(name).display()));
        }
    };
    threads::start("watch", move || {
        let mut room = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut events = inotify::Reader::new(watch, &mut room);
        loop {
            match events.next() {
                Ok(event) => {
                    let meant = event.file_name().is_some_and(|file| file.to_bytes() == name.as_bytes());
                    if meant && !teller.tell(Event::Configuration) {
                        return;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    return console::say(&format!("the configuration is no longer watched: {error}"));
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;
    use std::time::Duration;

    #[test]
    fn a_file_that_is_renamed_into_place_is_seen_and_others_are_not() {
        let folder = Folder::new();
        let (teller, events) = Teller::channel();
        start(folder.path(), "weir.yaml", teller);
        std::fs::write(folder.path().join("weir.yaml.new"), "version: 1").unwrap();
        std::fs::rename(folder.path().join("weir.yaml.new"), folder.path().join("weir.yaml")).unwrap();
        assert!(matches!(events.recv_timeout(Duration::from_secs(10)), Ok(Event::Configuration)));
        assert!(events.try_recv().is_err());
    }
}
