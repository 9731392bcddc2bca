//! Frames that cost a client little and others much: each kind has a bound, beyond it the connection ends with a
//! counter's move and a line at most, and nobody else notices.

use std::time::Duration;

use weir_tests::{Frame, Http2, Origin, Weir, eventually, flags, kind, reason, setting};

use crate::http2::{counter, with_listener};

/// Whether the next request is served, on a new connection.
#[track_caller]
fn assert_serves(weir: &Weir) {
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.answer(1).0, 200);
}

/// Sends `frames` again and again until the connection is ended; with which code.
fn flood(client: &mut Http2, mut frames: impl FnMut(u32) -> Vec<Frame>) -> Option<u32> {
    for round in 0..5000 {
        let bytes: Vec<u8> = frames(round).iter().flat_map(Frame::bytes).collect();
        if client.try_send_bytes(&bytes).is_err() {
            break;
        }
    }
    client.await_end()
}

#[test]
fn a_flood_of_any_kind_ends_its_connection_alone() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.head()? {
            if request.target == "/slow" {
                return peer.wait_for_end();
            }
            peer.send(weir_tests::ok("ok"))?;
        }
        Ok(())
    });
    let weir =
        Weir::start(&with_listener("http2: { window_updates: 1000, resets: 50 }", &[origin.address()]));
    let mut other = Http2::connect(weir.web());
    let request = |round: u32| 2 * round + 1;
    type Kind = (&'static str, Vec<Frame>, Box<dyn FnMut(u32) -> Vec<Frame>>);
    let kinds: Vec<Kind> = vec![
        ("pings", vec![], Box::new(|_| vec![Frame::ping([1; 8]); 10])),
        ("pings", vec![], Box::new(|_| vec![Frame::new(kind::PING, flags::ACK, 0, [1; 8]); 10])),
        ("settings", vec![], Box::new(|_| vec![Frame::settings(&[(setting::MAX_CONCURRENT_STREAMS, 1)])])),
        (
            "resets",
            vec![],
            Box::new(move |round| {
                vec![Frame::get(request(round), "/slow"), Frame::reset(request(round), reason::CANCEL)]
            }),
        ),
        ("empty_data", vec![Frame::post(1, "/slow")], Box::new(|_| vec![Frame::data(1, false, [])])),
        ("priorities", vec![], Box::new(|_| vec![Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 1]); 10])),
        ("window_updates", vec![], Box::new(|_| vec![Frame::window_update(0, 1); 10])),
        ("unknown", vec![], Box::new(|_| vec![Frame::new(0xaa, 0, 0, [0; 8])])),
        (
            "continuations",
            vec![],
            Box::new(move |round| {
                let get = Frame::get(request(round), "/");
                vec![
                    Frame::new(kind::HEADERS, flags::END_STREAM, get.stream, []),
                    Frame::new(kind::CONTINUATION, 0, get.stream, []),
                    Frame::new(kind::CONTINUATION, flags::END_HEADERS, get.stream, get.payload),
                ]
            }),
        ),
    ];
    for (name, first, frames) in kinds {
        let name_of_counter = format!("http2_flood_{name}");
        let before = counter(&weir, &name_of_counter);
        let mut client = Http2::connect(weir.web());
        client.send(&first);
        let ended = flood(&mut client, frames);
        assert!(matches!(ended, Some(reason::ENHANCE_YOUR_CALM) | None), "{name}: {ended:?}");
        eventually("it is counted", || counter(&weir, &name_of_counter) == before + 1);
        other.assert_alive();
        assert_serves(&weir);
    }
    assert_eq!(weir.times_said("too many frames of a kind"), 9);
    // What they had under way is over.
    eventually("the servers are let go", || {
        weir.admin().server("web", &origin.address().to_string())["in_flight"].as_u64() == Some(0)
    });
}

#[test]
fn streams_that_are_reset_before_they_are_seen_end_their_connection() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    // How many of them are read before we look decides by which bound.
    let mut round = 0;
    let ended = flood(&mut client, |_| {
        let streams = (round * 200..(round + 1) * 200).map(|n| 2 * n + 1);
        round += 1;
        streams.flat_map(|stream| [Frame::get(stream, "/"), Frame::reset(stream, reason::CANCEL)]).collect()
    });
    assert!(matches!(ended, Some(reason::ENHANCE_YOUR_CALM) | None), "{ended:?}");
    eventually("it is counted", || {
        counter(&weir, "http2_flood_others") + counter(&weir, "http2_flood_resets") == 1
    });
    assert_serves(&weir);
}

#[test]
fn a_head_of_endless_continuations_ends_its_connection() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    let get = Frame::get(1, "/");
    client.send(&[Frame { flags: flags::END_STREAM, ..get }]);
    let ended = flood(&mut client, |_| vec![Frame::new(kind::CONTINUATION, 0, 1, vec![0; 10])]);
    assert!(ended != Some(reason::NO_ERROR), "{ended:?}");
    assert_serves(&weir);
}

#[test]
fn streams_with_a_closed_window_are_reaped_and_hold_little() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/" {
                peer.send(weir_tests::ok("ok"))?;
                continue;
            }
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20))?;
            peer.send(vec![b'x'; 4 << 20])?;
        }
        Ok(())
    });
    let weir = Weir::start(&with_listener("timeouts: { body_idle: 1s }", &[origin.address()]));
    assert_serves(&weir);
    let before = weir.memory_bytes();
    let mut clients: Vec<_> = (0..5)
        .map(|_| {
            let mut client = Http2::connect_with(weir.web(), &[(setting::INITIAL_WINDOW_SIZE, 0)]);
            let streams: Vec<_> = (0..100).map(|n| Frame::get(2 * n + 1, "/large")).collect();
            client.send(&streams);
            client
        })
        .collect();
    for client in &mut clients {
        for _ in 0..100 {
            let reset = client.await_frame("a reset", |frame| frame.kind == kind::RST_STREAM);
            assert_eq!(reset.number(0), reason::CANCEL);
        }
        client.assert_alive();
    }
    let grown = weir.memory_peak_bytes().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for 500 streams");
    assert_eq!(counter(&weir, "http2_stalled"), 500);
    weir.admin().await_idle("web", &origin.address().to_string());
    assert_serves(&weir);
}

#[test]
fn a_connection_that_is_not_read_from_is_reaped_and_holds_little() {
    let origin = Origin::scripted(|peer| {
        while peer.request()?.is_some() {
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20))?;
            peer.send(vec![b'x'; 4 << 20])?;
        }
        Ok(())
    });
    let weir = Weir::start(&with_listener("timeouts: { body_idle: 1s }", &[origin.address()]));
    let before = weir.memory_bytes();
    let most = i32::MAX as u32;
    let mut client = Http2::connect_with(weir.web(), &[(setting::INITIAL_WINDOW_SIZE, most)]);
    let mut frames = vec![Frame::window_update(0, most - 65_535)];
    frames.extend((0..100).map(|n| Frame::get(2 * n + 1, "/large")));
    client.send(&frames);
    eventually("it is given up", || counter(&weir, "http2_stalled") > 0);
    weir.admin().await_idle("web", &origin.address().to_string());
    let grown = weir.memory_peak_bytes().saturating_sub(before);
    assert!(grown < 60 << 20, "{grown} bytes for one connection");
    client.await_end();
}

/// A request whose fields have about so many bytes.
fn large(stream: u32, bytes: usize) -> Frame {
    let value = "x".repeat(bytes);
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/slow"),
        (":authority", "a"),
        ("x", value.as_str()),
    ];
    Frame::headers(stream, true, &fields)
}

#[test]
fn header_bytes_are_bounded_a_connection_and_in_all() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/slow" {
                return peer.wait_for_end();
            }
            peer.send(weir_tests::ok("ok"))?;
        }
        Ok(())
    });
    let weir = Weir::start(&format!(
        "workers: 1\nlimits: {{ http2_header_bytes: 1MiB }}\n{}",
        with_listener("http2: { header_bytes: 100KiB }", &[origin.address()])
    ));
    let mut clients: Vec<_> = (0..10)
        .map(|_| {
            let mut client = Http2::connect(weir.web());
            // Ten of them are as many as the connection may have.
            client.send(&(0..10).map(|n| large(2 * n + 1, 10_000)).collect::<Vec<_>>());
            client.send(&[large(21, 10_000)]);
            assert_eq!(client.answer(21).0, 431);
            client.assert_alive();
            client
        })
        .collect();
    // That makes a thousand thousand of a worker's 1 MiB.
    let mut late = Http2::connect(weir.web());
    late.send(&(0..8).map(|n| large(2 * n + 1, 10_000)).collect::<Vec<_>>());
    let head = late.await_frame("a refusal", |frame| frame.kind == kind::HEADERS);
    assert_eq!(head.status(), 503);
    assert!(counter(&weir, "http2_header_refusals") > 10);
    // Small ones find room, and what is given up makes room.
    assert_serves(&weir);
    clients.clear();
    eventually("there is room again", || {
        let mut client = Http2::connect(weir.web());
        client.send(&[large(1, 10_000)]);
        while let Some(frame) = client.next_within(Duration::from_millis(200)) {
            if frame.kind == kind::HEADERS {
                assert_eq!(frame.status(), 503);
                return false;
            }
        }
        true
    });
}

#[test]
fn a_head_that_grows_when_it_is_decompressed_is_refused() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    assert_serves(&weir);
    let before = weir.memory_bytes();
    // A field of 3,900 bytes into the table, and then two bytes each for as many of it as there is room for.
    let mut clients: Vec<_> = (0..20).map(|_| Http2::connect(weir.web())).collect();
    for client in &mut clients {
        for n in 0..100 {
            let mut frame = Frame::get(2 * n + 1, "/");
            frame.payload.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0xbd, 0x1d]);
            frame.payload.extend(vec![b'y'; 0x7f + 0x3d + (0x1d << 7)]);
            frame.payload.extend(vec![0xbe; 10_000]);
            if client.try_send_bytes(&frame.bytes()).is_err() {
                break;
            }
        }
    }
    for client in &mut clients {
        client.await_end();
    }
    let grown = weir.memory_peak_bytes().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes for header bombs");
    assert_serves(&weir);
}
