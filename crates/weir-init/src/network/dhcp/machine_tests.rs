//! Every transition of the dialogue, with a clock that stands still until it is told.

use super::super::message::option;
use super::super::message::tests::{MAC, answer};
use super::*;

const SERVER: [u8; 4] = [192, 0, 2, 1];
const ADDRESS: [u8; 4] = [192, 0, 2, 5];
const OTHER: [u8; 4] = [192, 0, 2, 6];

/// A machine and its clock.
struct Trial {
    machine: Machine,
    now: Duration,
}

impl Trial {
    fn new() -> Self {
        Self::with_kept(None)
    }

    fn with_kept(kept: Option<(Lease, Option<Duration>)>) -> Self {
        let now = Duration::from_secs(10);
        Self { machine: Machine::new(MAC, Some("lb1".into()), kept, now, 7), now }
    }

    fn start(&mut self) -> Question {
        let outputs = self.machine.start(self.now);
        said(outputs).0
    }

    /// To the next moment at which the machine has something to do.
    fn next(&mut self) -> Vec<Output> {
        let deadline = self.machine.deadline().expect("there is a next moment");
        assert!(deadline >= self.now, "the next moment is not in the past");
        self.now = deadline;
        let outputs = self.machine.tick(self.now);
        assert!(
            self.machine.deadline() > Some(self.now) || self.machine.deadline().is_none(),
            "{:?}",
            self.machine
        );
        outputs
    }

    fn hear(&mut self, kind: Kind, gives: [u8; 4]) -> Vec<Output> {
        self.hear_with(kind, gives, 3600)
    }

    fn hear_with(&mut self, kind: Kind, gives: [u8; 4], seconds: u32) -> Vec<Output> {
        let transaction = self.machine.transaction;
        let time = seconds.to_be_bytes();
        let options: &[(u8, &[u8])] =
            &[(option::MASK, &[255, 255, 255, 0]), (option::LEASE_TIME, &time), (option::SERVER, &SERVER)];
        let answer = Answer::from_bytes(&answer(kind, transaction, gives, options)).unwrap();
        self.machine.receive(self.now, &answer)
    }

    fn bind(&mut self) -> Lease {
        self.start();
        said(self.hear(Kind::Offer, ADDRESS));
        used(self.hear(Kind::Acknowledge, ADDRESS))
    }
}

fn said(outputs: Vec<Output>) -> (Question, Way) {
    match <[Output; 1]>::try_from(outputs) {
        Ok([Output::Send(question, way)]) => (question, way),
        other => panic!("not one question: {other:?}"),
    }
}

fn used(outputs: Vec<Output>) -> Lease {
    match <[Output; 1]>::try_from(outputs) {
        Ok([Output::Use(lease)]) => lease,
        other => panic!("not one lease: {other:?}"),
    }
}

fn kept(seconds: u64) -> (Lease, Option<Duration>) {
    let mut trial = Trial::new();
    (trial.bind(), Some(Duration::from_secs(seconds)))
}

#[test]
fn discover_offer_request_acknowledge() {
    let mut trial = Trial::new();
    assert_eq!(trial.machine.deadline(), None, "nothing without a cable");
    let question = trial.start();
    assert_eq!((question.kind, question.wants, question.broadcast), (Kind::Discover, None, false));
    assert_eq!(question.hostname.as_deref(), Some("lb1"));
    assert!(trial.machine.reads_frames());
    let (question, way) = said(trial.hear(Kind::Offer, ADDRESS));
    assert_eq!((question.kind, way), (Kind::Request, Way::Frame));
    assert_eq!((question.wants, question.server), (Some(ADDRESS.into()), Some(SERVER.into())));
    assert_eq!(question.has, None);
    let lease = used(trial.hear(Kind::Acknowledge, ADDRESS));
    assert_eq!(lease.address, "192.0.2.5/24".parse().unwrap());
    assert!(!trial.machine.reads_frames() && !trial.machine.reads_datagrams());
    assert_eq!(trial.machine.deadline(), Some(trial.now + Duration::from_secs(1800)));
}

#[test]
fn without_an_answer_it_asks_for_ever_ever_more_rarely_and_for_both_kinds_of_answers() {
    let mut trial = Trial::new();
    let first = trial.start();
    let mut before = trial.now;
    for tries in 1..40 {
        let (question, way) = said(trial.next());
        assert_eq!((question.kind, way), (Kind::Discover, Way::Frame));
        assert_eq!(question.transaction, first.transaction, "a late answer to an earlier question counts");
        assert_eq!(question.broadcast, tries % 2 == 1);
        let wait = (trial.now - before).as_secs_f64();
        let expected = RETRY[(tries - 1).min(RETRY.len() - 1)] as f64;
        assert!((expected * 0.75..=expected * 1.25).contains(&wait), "{wait} is not about {expected}");
        before = trial.now;
    }
    assert!(trial.machine.is_unanswered());
}

#[test]
fn an_offer_that_is_not_confirmed_leads_back_to_asking() {
    let mut trial = Trial::new();
    let first = trial.start();
    said(trial.hear(Kind::Offer, ADDRESS));
    for _ in 1..REQUEST_TRIES {
        assert_eq!(said(trial.next()).0.kind, Kind::Request);
    }
    let (question, _) = said(trial.next());
    assert_eq!(question.kind, Kind::Discover);
    assert_ne!(question.transaction, first.transaction);
}

#[test]
fn a_refusal_starts_again_at_once_and_then_more_slowly() {
    let mut trial = Trial::new();
    trial.start();
    said(trial.hear(Kind::Offer, ADDRESS));
    assert_eq!(said(trial.hear(Kind::Refuse, [0; 4])).0.kind, Kind::Discover);
    let mut waited = Vec::new();
    for _ in 0..8 {
        said(trial.hear(Kind::Offer, ADDRESS));
        assert_eq!(trial.hear(Kind::Refuse, [0; 4]), []);
        let refused = trial.now;
        assert_eq!(said(trial.next()).0.kind, Kind::Discover);
        waited.push((trial.now - refused).as_secs_f64());
    }
    assert!(waited[0] < 2.0 && waited[7] > 40.0, "{waited:?}");
}

#[test]
fn half_way_it_asks_its_server_then_any_then_gives_up_the_address() {
    let mut trial = Trial::new();
    trial.bind();
    let bound = trial.now;
    let (question, way) = said(trial.next());
    assert_eq!(trial.now, bound + Duration::from_secs(1800));
    assert_eq!((question.kind, way), (Kind::Request, Way::Server(SERVER.into())));
    assert_eq!((question.has, question.wants, question.server), (Some(ADDRESS.into()), None, None));
    assert!(trial.machine.reads_datagrams() && !trial.machine.reads_frames());
    let mut ways = Vec::new();
    let outputs = loop {
        match trial.next().as_slice() {
            [Output::Send(question, way)] => {
                assert_eq!(question.has, Some(ADDRESS.into()));
                ways.push(*way);
            }
            other => break other.to_vec(),
        }
    };
    let everybody = ways.iter().position(|way| *way == Way::Everybody).expect("any server was asked");
    assert!(everybody > 0 && ways[everybody..].iter().all(|way| *way == Way::Everybody));
    assert!(ways.len() < 20, "{}", ways.len());
    assert_eq!(trial.now, bound + Duration::from_secs(3600));
    assert_eq!(outputs[0], Output::Lose);
    assert!(matches!(&outputs[1], Output::Send(question, Way::Frame) if question.kind == Kind::Discover));
    assert!(trial.machine.lease(trial.now).is_none());
}

#[test]
fn a_renewed_lease_counts_from_when_it_was_asked_for() {
    let mut trial = Trial::new();
    trial.bind();
    said(trial.next());
    let asked = trial.now;
    trial.now += Duration::from_secs(5);
    used(trial.hear(Kind::Acknowledge, ADDRESS));
    assert_eq!(trial.machine.deadline(), Some(asked + Duration::from_secs(1800)));
}

#[test]
fn a_refusal_of_more_time_takes_the_address_away_at_once() {
    for rebinding in [false, true] {
        let mut trial = Trial::new();
        trial.bind();
        trial.next();
        while rebinding && !matches!(trial.machine.state, State::Rebinding { .. }) {
            trial.next();
        }
        let outputs = trial.hear(Kind::Refuse, [0; 4]);
        assert_eq!(outputs[0], Output::Lose);
        assert!(matches!(&outputs[1], Output::Send(question, Way::Frame) if question.kind == Kind::Discover));
    }
}

#[test]
fn another_server_may_give_more_time() {
    let mut trial = Trial::new();
    trial.bind();
    while !matches!(trial.machine.state, State::Rebinding { .. }) {
        trial.next();
    }
    used(trial.hear(Kind::Acknowledge, ADDRESS));
    assert_eq!(trial.machine.state, State::Bound);
}

#[test]
fn a_lease_for_ever_is_never_asked_about_again() {
    let mut trial = Trial::new();
    trial.start();
    said(trial.hear(Kind::Offer, ADDRESS));
    used(trial.hear_with(Kind::Acknowledge, ADDRESS, u32::MAX));
    assert_eq!(trial.machine.deadline(), None);
    assert_eq!(trial.machine.lease(trial.now).unwrap().1, None);
}

#[test]
fn after_a_restart_the_address_of_before_is_asked_for_first() {
    let mut trial = Trial::with_kept(Some(kept(600)));
    let question = trial.start();
    assert_eq!((question.kind, question.wants, question.server), (Kind::Request, Some(ADDRESS.into()), None));
    assert!(trial.machine.lease(trial.now).is_none(), "not used before somebody says so");
    used(trial.hear(Kind::Acknowledge, ADDRESS));
    assert_eq!(trial.machine.state, State::Bound);
}

#[test]
fn after_a_restart_in_another_network_the_refusal_leads_to_a_new_address() {
    let mut trial = Trial::with_kept(Some(kept(600)));
    trial.start();
    let (question, _) = said(trial.hear(Kind::Refuse, [0; 4]));
    assert_eq!((question.kind, question.wants), (Kind::Discover, None));
    said(trial.hear(Kind::Offer, OTHER));
    assert_eq!(used(trial.hear(Kind::Acknowledge, OTHER)).address.addr(), Ipv4Addr::from(OTHER));
}

#[test]
fn after_a_restart_without_any_server_the_address_of_before_is_used_while_it_lasts() {
    let mut trial = Trial::with_kept(Some(kept(600)));
    trial.start();
    let begun = trial.now;
    let lease = loop {
        let outputs = trial.next();
        if let Some(Output::Use(lease)) = outputs.first() {
            break lease.clone();
        }
    };
    assert_eq!(lease.address.addr(), Ipv4Addr::from(ADDRESS));
    assert!(trial.now - begun < Duration::from_secs(15), "{:?}", trial.now - begun);
    let mut lost = None;
    while lost.is_none() {
        let outputs = trial.next();
        lost = outputs.contains(&Output::Lose).then_some(trial.now);
    }
    assert_eq!(lost, Some(Duration::from_secs(610)));
    said(trial.hear(Kind::Offer, OTHER));
    used(trial.hear(Kind::Acknowledge, OTHER));
}

#[test]
fn an_address_of_before_whose_time_is_over_is_only_a_wish() {
    let mut trial = Trial::with_kept(Some(kept(0)));
    trial.start();
    for _ in 0..20 {
        assert!(!trial.next().iter().any(|output| matches!(output, Output::Use(_))));
    }
}

#[test]
fn a_cable_that_comes_back_is_asked_about_and_the_address_stays() {
    let mut trial = Trial::new();
    trial.bind();
    trial.machine.stop();
    assert!(trial.machine.lease(trial.now).is_some());
    trial.now += Duration::from_secs(60);
    let question = trial.start();
    assert_eq!((question.kind, question.wants), (Kind::Request, Some(ADDRESS.into())));
    while !matches!(trial.machine.state, State::Rebinding { .. }) {
        assert!(!trial.next().contains(&Output::Lose));
    }
    assert!(trial.machine.lease(trial.now).is_some());
}

#[test]
fn an_address_is_lost_on_time_without_a_cable_too() {
    let mut trial = Trial::new();
    trial.bind();
    trial.machine.stop();
    assert_eq!(trial.next(), [Output::Lose]);
    assert_eq!(trial.machine.deadline(), None);
}

#[test]
fn answers_to_others_and_out_of_turn_change_nothing() {
    let mut trial = Trial::new();
    trial.start();
    assert_eq!(trial.hear(Kind::Acknowledge, ADDRESS), [], "nothing was requested");
    assert_eq!(trial.hear(Kind::Refuse, ADDRESS), []);
    assert_eq!(trial.hear(Kind::Offer, [0; 4]), [], "an offer of nothing");
    let other =
        Answer::from_bytes(&answer(Kind::Offer, trial.machine.transaction + 1, ADDRESS, &[])).unwrap();
    assert_eq!(trial.machine.receive(trial.now, &other), []);
    trial.machine.mac = MacAddress([2; 6]);
    assert_eq!(trial.hear(Kind::Offer, ADDRESS), []);
    trial.machine.mac = MAC;
    said(trial.hear(Kind::Offer, ADDRESS));
    assert_eq!(trial.hear(Kind::Offer, OTHER), [], "the first offer is taken");
    used(trial.hear(Kind::Acknowledge, ADDRESS));
    assert_eq!(trial.hear(Kind::Refuse, [0; 4]), [], "nothing was asked");
}

/// Whatever comes whenever: the next moment is always in the future, and nothing panics.
#[test]
fn no_sequence_leaves_it_without_a_next_moment() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut trial =
            if random.bool() { Trial::new() } else { Trial::with_kept(Some(kept(random.u64(0..4000)))) };
        trial.machine.start(trial.now);
        for _ in 0..60 {
            match random.u8(0..8) {
                0 => drop(trial.hear(Kind::Offer, ADDRESS)),
                1 | 2 => drop(trial.hear_with(Kind::Acknowledge, OTHER, random.u32(1..4000))),
                3 => drop(trial.hear(Kind::Refuse, [0; 4])),
                4 => {
                    trial.machine.stop();
                    trial.machine.start(trial.now);
                }
                _ => drop(trial.next()),
            }
            assert!(trial.machine.deadline().is_some());
        }
    }
}
