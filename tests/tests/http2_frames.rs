//! RFC 9113 sections 3 to 8 at the level of frames: what is sent, and what has to come back. Where the RFC leaves a
//! choice, any of it is fine; whatever a client does, the next one is served.

use weir_tests::{Frame, Http2, Origin, Weir, flags, kind, reason, setting};

use reason::{
    COMPRESSION_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM,
    STREAM_CLOSED,
};

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// The connection ends with this code.
    GoAway(u32),
    /// The stream ends with this code; others go on.
    Reset(u32),
    /// The request is answered with this status; others go on.
    Status(u16),
    /// Nothing: all goes on.
    Nothing,
}

use Back::{GoAway, Nothing, Reset, Status};

/// A frame as bytes with another length than it has.
fn with_length(frame: &Frame, length: u8) -> Vec<u8> {
    let mut bytes = frame.bytes();
    bytes[2] = length;
    bytes
}

/// A head with these fields besides those that a request must have.
fn head(stream: u32, end: bool, fields: &[(&str, &str)]) -> Frame {
    let mut all = vec![(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    all.extend_from_slice(fields);
    Frame::headers(stream, end, &all)
}

/// A frame with padding that is longer than the frame.
fn overpadded(kind: u8, flags: u8) -> Frame {
    Frame::new(kind, flags | flags::PADDED, 1, [200, 1, 2, 3])
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

fn connection_cases() -> Vec<(&'static str, Vec<u8>, Vec<Back>)> {
    let get = Frame::get(1, "/");
    let raw = |kind, flags, stream, payload: &[u8]| Frame::new(kind, flags, stream, payload);
    let case = |name, frames: &[Frame], back: &[Back]| (name, bytes(frames), back.to_vec());
    vec![
        case("4.1 a frame of an unknown type", &[raw(0xaa, 0xff, 1, b"x"), get.clone()], &[Status(200)]),
        case("4.1 unknown flags", &[raw(kind::PING, 0xfe, 0, &[0; 8])], &[Nothing]),
        case("4.1 the reserved bit", &[Frame { stream: 1 << 31 | 1, ..get.clone() }], &[Status(200)]),
        case(
            "4.2 a frame above the limit",
            &[raw(kind::DATA, 0, 1, &vec![0; 16_385])],
            &[GoAway(FRAME_SIZE_ERROR)],
        ),
        case(
            "4.3 a head that can't be decompressed",
            &[raw(kind::HEADERS, 5, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
            &[GoAway(COMPRESSION_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
        case("5.1 DATA in an idle stream", &[Frame::data(1, true, "x")], &[GoAway(PROTOCOL_ERROR)]),
        case("5.1 RST_STREAM in an idle stream", &[Frame::reset(1, 8)], &[GoAway(PROTOCOL_ERROR)]),
        case("5.1 WINDOW_UPDATE in an idle stream", &[Frame::window_update(1, 1)], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "5.1 CONTINUATION in an idle stream",
            &[raw(kind::CONTINUATION, 4, 1, b"")],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "5.1 DATA after the end of the request",
            &[Frame::get(1, "/slow"), Frame::data(1, true, "x")],
            &[Reset(STREAM_CLOSED), GoAway(STREAM_CLOSED), GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "5.1 HEADERS after the end of the request",
            &[Frame::get(1, "/slow"), Frame::get(1, "/slow")],
            &[Reset(STREAM_CLOSED), GoAway(STREAM_CLOSED), GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "5.1 PRIORITY in any stream",
            &[raw(kind::PRIORITY, 0, 7, &[0, 0, 0, 0, 1]), get.clone()],
            &[Status(200)],
        ),
        case("5.1.1 a stream with an even number", &[Frame::get(2, "/")], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "5.1.1 a stream with a number lower than the last",
            &[Frame::get(5, "/"), Frame::get(3, "/")],
            &[GoAway(PROTOCOL_ERROR), GoAway(STREAM_CLOSED)],
        ),
        case("6.1 DATA in stream 0", &[Frame::data(0, false, "x")], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.1 padding longer than the frame",
            &[Frame::post(1, "/"), overpadded(kind::DATA, 0)],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case("6.2 HEADERS in stream 0", &[Frame::get(0, "/")], &[GoAway(PROTOCOL_ERROR)]),
        case("6.2 padding longer than the frame", &[overpadded(kind::HEADERS, 5)], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.2 another frame within a head",
            &[Frame { flags: flags::END_STREAM, ..get.clone() }, Frame::ping([0; 8])],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.2 another stream's HEADERS within a head",
            &[Frame { flags: flags::END_STREAM, ..get.clone() }, Frame::get(3, "/")],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case("6.3 PRIORITY in stream 0", &[raw(kind::PRIORITY, 0, 0, &[0; 5])], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.3 PRIORITY of a wrong length",
            &[Frame::post(1, "/"), raw(kind::PRIORITY, 0, 1, &[0; 4])],
            &[Reset(FRAME_SIZE_ERROR), GoAway(FRAME_SIZE_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
        case("6.4 RST_STREAM in stream 0", &[Frame::reset(0, 8)], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.4 RST_STREAM of a wrong length",
            &[Frame::post(1, "/"), raw(kind::RST_STREAM, 0, 1, &[0; 3])],
            &[GoAway(FRAME_SIZE_ERROR)],
        ),
        case("6.5 SETTINGS in a stream", &[raw(kind::SETTINGS, 0, 1, b"")], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.5 an acknowledgement with settings",
            &[raw(kind::SETTINGS, 1, 0, &[0; 6])],
            &[GoAway(FRAME_SIZE_ERROR)],
        ),
        case(
            "6.5 SETTINGS of a wrong length",
            &[raw(kind::SETTINGS, 0, 0, &[0; 7])],
            &[GoAway(FRAME_SIZE_ERROR)],
        ),
        case(
            "6.5.2 ENABLE_PUSH of 2",
            &[Frame::settings(&[(setting::ENABLE_PUSH, 2)])],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.5.2 INITIAL_WINDOW_SIZE above 2^31-1",
            &[Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)])],
            &[GoAway(FLOW_CONTROL_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.5.2 MAX_FRAME_SIZE below 2^14",
            &[Frame::settings(&[(setting::MAX_FRAME_SIZE, 16_383)])],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.5.2 MAX_FRAME_SIZE above 2^24-1",
            &[Frame::settings(&[(setting::MAX_FRAME_SIZE, 1 << 24)])],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case("6.5.2 an unknown setting", &[Frame::settings(&[(0xfff, 7)]), get.clone()], &[Status(200)]),
        case(
            "6.6 PUSH_PROMISE from a client",
            &[Frame::post(1, "/"), raw(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case("6.7 PING in a stream", &[raw(kind::PING, 0, 1, &[0; 8])], &[GoAway(PROTOCOL_ERROR)]),
        case("6.7 PING of a wrong length", &[raw(kind::PING, 0, 0, &[0; 6])], &[GoAway(FRAME_SIZE_ERROR)]),
        case("6.7 an acknowledgement that nobody asked for", &[raw(kind::PING, 1, 0, &[0; 8])], &[Nothing]),
        case("6.8 GOAWAY in a stream", &[raw(kind::GOAWAY, 0, 1, &[0; 8])], &[GoAway(PROTOCOL_ERROR)]),
        case("6.9 WINDOW_UPDATE of 0", &[Frame::window_update(0, 0)], &[GoAway(PROTOCOL_ERROR)]),
        case(
            "6.9 WINDOW_UPDATE of 0 in a stream",
            &[Frame::post(1, "/"), Frame::window_update(1, 0)],
            &[Reset(PROTOCOL_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.9 WINDOW_UPDATE of a wrong length",
            &[raw(kind::WINDOW_UPDATE, 0, 0, &[0; 3])],
            &[GoAway(FRAME_SIZE_ERROR)],
        ),
        case(
            "6.9.1 a window above 2^31-1",
            &[Frame::window_update(0, i32::MAX as u32), Frame::window_update(0, i32::MAX as u32)],
            &[GoAway(FLOW_CONTROL_ERROR)],
        ),
        case(
            "6.9.1 a stream's window above 2^31-1",
            &[Frame::post(1, "/"), Frame::window_update(1, i32::MAX as u32)],
            &[Reset(FLOW_CONTROL_ERROR)],
        ),
        case(
            "6.10 CONTINUATION without HEADERS",
            &[get.clone(), raw(kind::CONTINUATION, 4, 1, b"")],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.10 CONTINUATION of another stream",
            &[Frame { flags: flags::END_STREAM, ..get.clone() }, raw(kind::CONTINUATION, 4, 3, b"")],
            &[GoAway(PROTOCOL_ERROR)],
        ),
        case(
            "6.10 a head in pieces",
            &[
                raw(kind::HEADERS, flags::END_STREAM, 1, &get.payload[..5]),
                raw(kind::CONTINUATION, 0, 1, &get.payload[5..20]),
                raw(kind::CONTINUATION, 4, 1, &get.payload[20..]),
            ],
            &[Status(200)],
        ),
        (
            "6.2 HEADERS with a dependency on itself",
            {
                let mut frame = get.clone();
                frame.flags |= flags::PRIORITY;
                frame.payload = [&[0, 0, 0, 1, 1][..], &frame.payload].concat();
                frame.bytes()
            },
            vec![Reset(PROTOCOL_ERROR), GoAway(PROTOCOL_ERROR), Status(200)],
        ),
        (
            "4.2 a frame that ends too soon",
            with_length(&Frame::ping([0; 8]), 9),
            vec![GoAway(FRAME_SIZE_ERROR)],
        ),
    ]
}

fn message_cases() -> Vec<(&'static str, Vec<u8>, Vec<Back>)> {
    // The connection may be ended for it, too (section 5.4.1).
    const MALFORMED: &[Back] = &[Reset(PROTOCOL_ERROR), Status(400), GoAway(PROTOCOL_ERROR)];
    let fields =
        |name, fields: &[(&str, &str)]| (name, Frame::headers(1, true, fields).bytes(), MALFORMED.to_vec());
    let with = |name, field: (&str, &str)| (name, head(1, true, &[field]).bytes(), MALFORMED.to_vec());
    let case = |name, frames: &[Frame], back: &[Back]| (name, bytes(frames), back.to_vec());
    let (method, scheme, path) = ((":method", "GET"), (":scheme", "http"), (":path", "/"));
    vec![
        case(
            "8.1 a body with trailers",
            &[Frame::post(1, "/"), Frame::data(1, false, "abc"), Frame::headers(1, true, &[("x-sum", "1")])],
            &[Status(200)],
        ),
        case(
            "8.1 trailers that do not end the stream",
            &[Frame::post(1, "/"), Frame::data(1, false, "abc"), Frame::headers(1, false, &[("x-sum", "1")])],
            &[Reset(PROTOCOL_ERROR)],
        ),
        case(
            "8.1 trailers with a pseudo-header",
            &[
                Frame::post(1, "/"),
                Frame::data(1, false, "abc"),
                Frame::headers(1, true, &[(":method", "GET")]),
            ],
            &[Reset(PROTOCOL_ERROR), Status(200)],
        ),
        with("8.2.1 an upper-case name", ("X-A", "1")),
        with("8.2.1 an empty name", ("", "1")),
        with("8.2.1 a space in a name", ("x a", "1")),
        with("8.2.1 a line end in a value", ("x", "1\r\nhost: b")),
        with("8.2.1 a NUL in a value", ("x", "1\0")),
        with("8.2.1 white space before a value", ("x", " 1")),
        with("8.2.1 white space after a value", ("x", "1\t")),
        with("8.2.2 connection", ("connection", "close")),
        with("8.2.2 keep-alive", ("keep-alive", "1")),
        with("8.2.2 proxy-connection", ("proxy-connection", "close")),
        with("8.2.2 transfer-encoding", ("transfer-encoding", "chunked")),
        with("8.2.2 upgrade", ("upgrade", "h2c")),
        with("8.2.2 te other than trailers", ("te", "gzip")),
        case("8.2.2 te: trailers", &[head(1, true, &[("te", "trailers")])], &[Status(200)]),
        fields("8.3 an unknown pseudo-header", &[method, scheme, path, (":authority", "a"), (":x", "1")]),
        fields(
            "8.3 a response's pseudo-header",
            &[method, scheme, path, (":authority", "a"), (":status", "200")],
        ),
        fields("8.3 a pseudo-header after a field", &[method, scheme, ("x", "1"), path, (":authority", "a")]),
        fields("8.3 a pseudo-header twice", &[method, scheme, path, path, (":authority", "a")]),
        fields("8.3.1 no :method", &[scheme, path, (":authority", "a")]),
        fields("8.3.1 no :scheme", &[method, path, (":authority", "a")]),
        fields("8.3.1 no :path", &[method, scheme, (":authority", "a")]),
        fields("8.3.1 an empty :path", &[method, scheme, (":path", ""), (":authority", "a")]),
        fields("8.3.1 a relative :path", &[method, scheme, (":path", "x"), (":authority", "a")]),
        fields("8.3.1 a space in :path", &[method, scheme, (":path", "/a b"), (":authority", "a")]),
        fields("8.3.1 user information in :authority", &[method, scheme, path, (":authority", "u@a")]),
        fields(
            "8.3.1 another Host than :authority",
            &[method, scheme, path, (":authority", "a"), ("host", "b")],
        ),
        fields("8.3.1 neither Host nor :authority", &[method, scheme, path]),
        case(
            "8.3.1 Host alone",
            &[Frame::headers(1, true, &[method, scheme, path, ("host", "a")])],
            &[Status(200)],
        ),
        case(
            "8.5 CONNECT",
            &[Frame::headers(1, true, &[(":method", "CONNECT"), (":authority", "a:443")])],
            &[Status(405)],
        ),
        fields("8.5 CONNECT with :path", &[(":method", "CONNECT"), path, (":authority", "a:443")]),
        case(
            "8.1.1 more than Content-Length",
            &[head(1, false, &[("content-length", "2")]), Frame::data(1, true, "abc")],
            &[Reset(PROTOCOL_ERROR)],
        ),
        case(
            "8.1.1 less than Content-Length",
            &[head(1, false, &[("content-length", "4")]), Frame::data(1, true, "abc")],
            &[Reset(PROTOCOL_ERROR)],
        ),
        case("8.1.1 Content-Length without a body", &[head(1, true, &[("content-length", "4")])], MALFORMED),
        case(
            "8.1.1 two Content-Lengths",
            &[
                head(1, false, &[("content-length", "3"), ("content-length", "4")]),
                Frame::data(1, true, "abc"),
            ],
            MALFORMED,
        ),
        case(
            "8.1.1 a signed Content-Length",
            &[head(1, false, &[("content-length", "+3")]), Frame::data(1, true, "abc")],
            MALFORMED,
        ),
        case(
            "RFC 8441 :protocol without CONNECT",
            &[Frame::headers(
                1,
                true,
                &[method, scheme, path, (":authority", "a"), (":protocol", "websocket")],
            )],
            MALFORMED,
        ),
        case(
            "RFC 8441 an unknown :protocol",
            &[Frame::headers(
                1,
                false,
                &[(":method", "CONNECT"), scheme, path, (":authority", "a"), (":protocol", "other")],
            )],
            &[Status(501)],
        ),
    ]
}

/// What came back in stream 1, or to the connection.
fn back(client: &mut Http2) -> Back {
    // Whatever happens to the stream has happened when this is answered.
    while let Some(frame) = client.next_frame().unwrap() {
        match frame.kind {
            kind::GOAWAY => return GoAway(frame.number(4)),
            kind::RST_STREAM if frame.stream == 1 => return Reset(frame.number(0)),
            kind::HEADERS if frame.stream == 1 => return Status(frame.status()),
            _ => {}
        }
    }
    panic!("the connection ended without a word");
}

fn check(cases: Vec<(&'static str, Vec<u8>, Vec<Back>)>) {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/slow" {
                return peer.wait_for_end();
            }
            peer.send(weir_tests::ok("ok"))?;
        }
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut wrong = Vec::new();
    for (name, bytes, allowed) in cases {
        let mut client = Http2::connect(weir.web());
        client.send_bytes(&bytes);
        if allowed.contains(&Nothing) {
            client.assert_alive();
            continue;
        }
        let came = back(&mut client);
        if !allowed.contains(&came) {
            wrong.push(format!("{name}: {came:?}, not {allowed:?}"));
            continue;
        }
        match came {
            GoAway(code) => assert_eq!(client.await_end(), Some(code), "{name}: another GOAWAY"),
            Reset(_) | Status(_) | Nothing => client.assert_alive(),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.answer(1), (200, b"ok".to_vec()));
    let workers = weir.admin().get("/metrics").text();
    assert!(
        !workers.lines().any(|line| line.starts_with("weir_worker_panics_total") && !line.ends_with(" 0"))
    );
}

#[test]
fn frames_that_break_a_rule_end_what_they_concern() {
    check(connection_cases());
}

#[test]
fn requests_that_break_a_rule_end_their_stream() {
    check(message_cases());
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(Http2::preface());
    client.send(&[Frame::ping([0; 8])]);
    assert_eq!(client.await_end(), Some(PROTOCOL_ERROR));

    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    client.await_end();

    // One byte after the other is fine.
    let mut client = Http2::connect_silent(weir.web());
    for byte in [Http2::preface(), &Frame::settings(&[]).bytes(), &Frame::get(1, "/").bytes()].concat() {
        client.send_bytes(&[byte]);
    }
    assert_eq!(client.answer(1).0, 200);
}

#[test]
fn more_streams_than_were_offered_are_refused() {
    let origin = Origin::silent();
    let weir = Weir::start(&format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, http2: {{ streams: 2 }}, routes: [{{ pool: web }}] }} }}\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/"), Frame::get(3, "/"), Frame::get(5, "/")]);
    let reset = client.await_frame("a reset", |frame| frame.kind == kind::RST_STREAM);
    assert_eq!((reset.stream, reset.number(0)), (5, REFUSED_STREAM));
    client.assert_alive();
}

#[test]
fn a_body_beyond_the_window_ends_it() {
    let origin = Origin::scripted(|peer| {
        peer.head()?;
        peer.wait_for_end()
    });
    let weir = Weir::start(&format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, http2: {{ stream_window: 1KiB }}, routes: [{{ pool: web }}] }} }}\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::post(1, "/"), Frame::data(1, false, vec![0; 1025])]);
    let came = back(&mut client);
    assert!(matches!(came, Reset(FLOW_CONTROL_ERROR) | GoAway(FLOW_CONTROL_ERROR)), "{came:?}");
}

#[test]
fn a_go_away_of_the_clients_lets_its_requests_end() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/"), Frame::new(kind::GOAWAY, 0, 0, [0; 8])]);
    assert_eq!(client.answer(1).0, 200);
    assert!(matches!(client.await_end(), None | Some(NO_ERROR)));
}
