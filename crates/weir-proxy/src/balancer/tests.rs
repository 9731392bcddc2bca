//! What every balancer promises, and what each one is for.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use http::HeaderName;
use proptest::prelude::*;
use weir_config::model::Balance;

use super::{Balancer, Members, PickKey, SHARE_OF_WEIGHT, identity, prepare};
use crate::fields::Fields;

/// A pool in which everything can be set.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) servers: Vec<Server>,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    identity: u64,
    weight: u32,
    pub(super) share: u32,
    in_flight: Cell<u32>,
    admits: bool,
}

impl Pool {
    /// Healthy and idle servers of these weights.
    pub(super) fn of(weights: &[u32]) -> Self {
        let servers = weights.iter().enumerate().map(|(index, &weight)| Server {
            identity: identity(&format!("10.0.{}.{}:8080", index / 256, index % 256)),
            weight,
            share: weight * SHARE_OF_WEIGHT,
            in_flight: Cell::new(0),
            admits: true,
        });
        Self { servers: servers.collect() }
    }

    fn balancer(&self, balance: &Balance, seed: u64) -> Box<dyn Balancer> {
        prepare(balance, self).balancer(self, seed)
    }
}

impl Members for Pool {
    fn len(&self) -> usize {
        self.servers.len()
    }
    fn share(&self, member: usize) -> u32 {
        self.servers[member].share
    }
    fn in_flight(&self, member: usize) -> u32 {
        self.servers[member].in_flight.get()
    }
    fn admits(&self, member: usize) -> bool {
        self.servers[member].admits
    }
    fn identity(&self, member: usize) -> u64 {
        self.servers[member].identity
    }
    fn ring_weight(&self, member: usize) -> u32 {
        self.servers[member].weight
    }
}

const FIELD: HeaderName = HeaderName::from_static("x-tenant");

fn all() -> [Balance; 7] {
    [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::RandomTwo,
        Balance::SourceHash,
        Balance::UriHash,
        Balance::HeaderHash(FIELD),
        Balance::First,
    ]
}

/// Picks with the `n`th of many keys, whatever the balancer looks at.
fn pick(balancer: &mut dyn Balancer, pool: &Pool, n: u32) -> Option<usize> {
    let uri = format!("/item/{n}?page=1");
    let fields = [(FIELD.as_str(), &*n.to_string())].into_iter().collect();
    let source = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + n));
    balancer.pick(&PickKey { source, uri: &uri, fields: &fields }, pool)
}

fn picks(balancer: &mut dyn Balancer, pool: &Pool, count: u32) -> Vec<usize> {
    (0..count).map(|n| pick(balancer, pool, n).unwrap()).collect()
}

fn counts(picks: &[usize], members: usize) -> Vec<usize> {
    let mut counts = vec![0; members];
    picks.iter().for_each(|&member| counts[member] += 1);
    counts
}

/// How often each member is picked while every exchange lasts until `lasting` others have begun.
fn counts_under_load(balance: &Balance, pool: &Pool, lasting: usize, count: u32) -> Vec<usize> {
    let mut balancer = pool.balancer(balance, 1);
    let mut begun = Vec::new();
    for n in 0..count {
        let member = pick(&mut *balancer, pool, n).unwrap();
        pool.servers[member].in_flight.update(|in_flight| in_flight + 1);
        begun.push(member);
        if let Some(ended) = begun.len().checked_sub(lasting + 1) {
            pool.servers[begun[ended]].in_flight.update(|in_flight| in_flight - 1);
        }
    }
    counts(&begun, pool.len())
}

/// Whether each count is within `percent` of its weight's part.
fn assert_proportional(counts: &[usize], weights: &[u32], percent: f64) {
    let (sum, total): (usize, u32) = (counts.iter().sum(), weights.iter().sum());
    for (member, (&count, &weight)) in counts.iter().zip(weights).enumerate() {
        let expected = sum as f64 * f64::from(weight) / f64::from(total);
        let off = (count as f64 - expected).abs() / expected * 100.0;
        assert!(
            off <= percent,
            "member {member} is {off:.1} % off {expected:.0}: {counts:?} for {weights:?}"
        );
    }
}

fn any_pool() -> impl Strategy<Value = Pool> {
    let server = (0..4_u32, prop::bool::weighted(0.7), prop::bool::weighted(0.7), 0..5_u32);
    prop::collection::vec(server, 0..40).prop_map(|states| {
        let weights: Vec<_> = states.iter().map(|(weight, ..)| *weight).collect();
        let mut pool = Pool::of(&weights);
        for (server, (_, healthy, admits, in_flight)) in pool.servers.iter_mut().zip(states) {
            server.share = if healthy { server.share } else { 0 };
            server.admits = admits;
            server.in_flight.set(in_flight);
        }
        pool
    })
}

proptest! {
    // Rings are costly without optimizations.
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn picks_are_eligible_and_fail_only_when_nothing_is(before in any_pool(), after in any_pool(), seed: u64) {
        for balance in all() {
            // The same membership in two states, the second taken over on the way.
            let mut pool = before.clone();
            let mut balancer = pool.balancer(&balance, seed);
            for state in [&before, &after, &before] {
                for (server, state) in pool.servers.iter_mut().zip(&state.servers) {
                    server.share = server.weight * if state.share > 0 { SHARE_OF_WEIGHT } else { 0 };
                    server.admits = state.admits;
                }
                balancer.members_changed(&pool);
                let can = pool.servers.iter().any(|server| server.share > 0 && server.admits);
                for n in 0..50 {
                    let picked = pick(&mut *balancer, &pool, n);
                    prop_assert_eq!(picked.is_some(), can, "{:?}", balance);
                    if let Some(member) = picked {
                        prop_assert!(pool.share(member) > 0 && pool.admits(member), "{:?}", balance);
                    }
                }
            }
        }
    }

    #[test]
    fn a_share_that_went_without_notice_is_not_picked(pool in any_pool(), seed: u64) {
        for balance in all() {
            let mut balancer = pool.balancer(&balance, seed);
            let mut pool = pool.clone();
            pool.servers.iter_mut().for_each(|server| server.share = 0);
            prop_assert_eq!(pick(&mut *balancer, &pool, 1), None);
        }
    }

    #[test]
    fn round_robin_is_exact_in_every_cycle(weights in prop::collection::vec(0..=20_u32, 1..50), seed: u64) {
        let pool = Pool::of(&weights);
        let cycle: u32 = weights.iter().sum();
        prop_assume!(cycle > 0);
        for balance in [Balance::RoundRobin, Balance::LeastConnections] {
            let picks = picks(&mut *pool.balancer(&balance, seed), &pool, cycle * 3);
            for window in [0, 1, cycle as usize, cycle as usize * 2] {
                for (count, weight) in counts(&picks[window..][..cycle as usize], weights.len()).iter().zip(&weights) {
                    prop_assert!(count.abs_diff(*weight as usize) <= usize::from(window == 1));
                }
            }
        }
    }

    #[test]
    fn taking_one_server_out_moves_its_keys_alone(
        weights in prop::collection::vec(1..5_u32, 2..15), out in any::<prop::sample::Index>(),
    ) {
        let out = out.index(weights.len());
        for balance in [Balance::SourceHash, Balance::UriHash, Balance::HeaderHash(FIELD)] {
            let mut pool = Pool::of(&weights);
            let mut balancer = pool.balancer(&balance, 1);
            let whole = picks(&mut *balancer, &pool, 300);
            // Unhealthy, full, and gone from the file.
            pool.servers[out].share = 0;
            let unhealthy = picks(&mut *balancer, &pool, 300);
            pool.servers[out].share = SHARE_OF_WEIGHT * weights[out];
            pool.servers[out].admits = false;
            prop_assert_eq!(&unhealthy, &picks(&mut *balancer, &pool, 300));
            pool.servers[out].admits = true;
            prop_assert_eq!(&whole, &picks(&mut *balancer, &pool, 300));
            pool.servers.remove(out);
            let mut gone = picks(&mut *pool.balancer(&balance, 2), &pool, 300);
            gone.iter_mut().for_each(|member| *member += usize::from(*member >= out));
            prop_assert_eq!(&unhealthy, &gone);
            for (before, after) in whole.iter().zip(&unhealthy) {
                prop_assert_eq!(*before == out, before != after);
            }
        }
    }
}

#[test]
fn round_robin_mixes_evenly() {
    for seed in 0..100 {
        let pool = Pool::of(&[5, 1, 1]);
        let picks = picks(&mut *pool.balancer(&Balance::RoundRobin, seed), &pool, 700);
        // Five turns between two others: three and two of them.
        let longest = picks.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap();
        assert!(longest <= 3, "{longest}: {:?}", &picks[..14]);
    }
}

#[test]
fn workers_start_at_different_servers() {
    let pool = Pool::of(&[1; 10]);
    for balance in [Balance::RoundRobin, Balance::LeastConnections] {
        let starts: Vec<_> =
            (0..100).map(|seed| picks(&mut *pool.balancer(&balance, seed), &pool, 1)[0]).collect();
        assert!(counts(&starts, 10).iter().all(|count| (1..=25).contains(count)), "{starts:?}");
    }
    // From there on, the order of the file.
    let picks = picks(&mut *pool.balancer(&Balance::RoundRobin, 7), &pool, 30);
    assert!(picks.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 10), "{picks:?}");
}

#[test]
fn a_flapping_server_neither_gains_nor_restarts_the_cycle() {
    let mut pool = Pool::of(&[1; 5]);
    let mut balancer = pool.balancer(&Balance::RoundRobin, 3);
    let mut all = Vec::new();
    for round in 0..2000 {
        pool.servers[4].share = if round % 2 == 0 { 0 } else { SHARE_OF_WEIGHT };
        balancer.members_changed(&pool);
        all.extend(picks(&mut *balancer, &pool, 3));
    }
    // It is there half of the time: 0.5 of 4.5 shares.
    assert_proportional(&counts(&all, 5), &[2, 2, 2, 2, 1], 12.0);
}

#[test]
fn a_growing_share_takes_a_growing_part() {
    let mut pool = Pool::of(&[1, 1]);
    for balance in [Balance::RoundRobin, Balance::LeastConnections, Balance::RandomTwo, Balance::SourceHash] {
        let mut balancer = pool.balancer(&balance, 5);
        for share in [16, 64, 128, 256] {
            pool.servers[1].share = share;
            balancer.members_changed(&pool);
            let part = counts(&picks(&mut *balancer, &pool, 20_000), 2)[1] as f64 / 20_000.0;
            // Of a ring it is half, less what it does not take yet.
            let all = if balance == Balance::SourceHash { 512.0 } else { f64::from(share + 256) };
            let expected = f64::from(share) / all;
            assert!((part / expected - 1.0).abs() < 0.15, "{balance:?} at {share}: {part} for {expected}");
        }
    }
}

#[test]
fn load_is_spread_by_weight() {
    let weights = [1, 2, 3, 4, 10];
    for (balance, percent) in [(Balance::LeastConnections, 3.0), (Balance::RandomTwo, 20.0)] {
        let counts = counts_under_load(&balance, &Pool::of(&weights), 200, 20_000);
        assert_proportional(&counts, &weights, percent);
        let counts = counts_under_load(&balance, &Pool::of(&[1; 10]), 100, 20_000);
        assert_proportional(&counts, &[1; 10], 5.0);
    }
    // More members than one pick compares.
    let many = counts_under_load(&Balance::LeastConnections, &Pool::of(&[1; 1000]), 3000, 100_000);
    assert_proportional(&many, &[1; 1000], 3.0);
    // Two draws of an idle pool follow the weights.
    let pool = Pool::of(&weights);
    let idle = counts(&picks(&mut *pool.balancer(&Balance::RandomTwo, 1), &pool, 50_000), 5);
    assert_proportional(&idle, &weights, 5.0);
}

#[test]
fn least_connections_avoids_the_loaded() {
    let pool = Pool::of(&[1, 4, 2]);
    for (loads, expected) in [([1, 3, 2], 1), ([0, 1, 1], 0), ([5, 21, 9], 2)] {
        for (server, load) in pool.servers.iter().zip(loads) {
            server.in_flight.set(load);
        }
        assert_eq!(picks(&mut *pool.balancer(&Balance::LeastConnections, 1), &pool, 1), [expected]);
    }
}

#[test]
fn the_first_is_filled_first() {
    let mut pool = Pool::of(&[1, 5, 1]);
    let mut balancer = pool.balancer(&Balance::First, 1);
    assert_eq!(picks(&mut *balancer, &pool, 3), [0, 0, 0]);
    pool.servers[0].admits = false;
    assert_eq!(picks(&mut *balancer, &pool, 2), [1, 1]);
}

#[test]
fn the_ring_is_fair() {
    for weights in [vec![1; 3], vec![1; 10], vec![1; 30], vec![1, 2, 3, 4, 10], vec![100, 200]] {
        let pool = Pool::of(&weights);
        for balance in [Balance::SourceHash, Balance::UriHash, Balance::HeaderHash(FIELD)] {
            let counts = counts(&picks(&mut *pool.balancer(&balance, 1), &pool, 100_000), weights.len());
            assert_proportional(&counts, &weights, 15.0);
        }
    }
}

#[test]
fn keys_stay_where_they_are_in_every_version() {
    let pool = Pool::of(&[1, 1, 2, 1, 3]);
    for (balance, expected) in [
        (Balance::SourceHash, [3, 1, 2, 1, 2, 0, 4, 4, 2, 4, 1, 4]),
        (Balance::UriHash, [4, 4, 4, 4, 4, 4, 4, 0, 4, 2, 4, 2]),
        (Balance::HeaderHash(FIELD), [2, 4, 4, 4, 1, 2, 1, 2, 4, 4, 0, 1]),
    ] {
        for seed in [1, 2] {
            assert_eq!(picks(&mut *pool.balancer(&balance, seed), &pool, 12), expected, "{balance:?}");
        }
    }
}

#[test]
fn an_address_mapped_into_ipv6_is_the_same_client() {
    let pool = Pool::of(&[1; 50]);
    let mut balancer = pool.balancer(&Balance::SourceHash, 1);
    let fields = Fields::default();
    let mut from = |source: &str| {
        balancer.pick(&PickKey { source: source.parse().unwrap(), uri: "/", fields: &fields }, &pool)
    };
    assert_eq!(from("192.0.2.1"), from("::ffff:192.0.2.1"));
    assert_ne!(from("192.0.2.1"), from("192.0.2.2"));
}

#[test]
fn requests_without_the_field_are_spread() {
    let pool = Pool::of(&[1, 3]);
    let mut balancer = pool.balancer(&Balance::HeaderHash(FIELD), 1);
    let fields = Fields::default();
    let key = PickKey { source: Ipv4Addr::LOCALHOST.into(), uri: "/", fields: &fields };
    let picks: Vec<_> = (0..10_000).map(|_| balancer.pick(&key, &pool).unwrap()).collect();
    assert_proportional(&counts(&picks, 2), &[1, 3], 5.0);
}
