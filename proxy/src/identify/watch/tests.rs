use tokio::time::{self, Duration, Instant};

// Lives of a second stand for lives of an hour: what is tested does not know the difference.

use super::*;
use crate::fault::codes;
use crate::identify::Proof;
use crate::identify::mint::{self, CALLER, Ca, DOMAIN, Published, begin, bundles};

const DAY: Duration = Duration::from_hours(24);
/// Long enough for what is going to happen to happen.
const QUIET: Duration = Duration::from_millis(300);

/// Lets the published clock go on with the real one, and says when `watch` speaks next.
async fn next(published: &Published, watch: &mut Watch) -> (Ending, Duration) {
    let (begun, mut last) = (Instant::now(), Instant::now());
    let step = Duration::from_millis(10);
    let mut ending = std::pin::pin!(watch.ending());
    loop {
        tokio::select! {
            biased;
            ending = &mut ending => return (ending, begun.elapsed()),
            () = time::sleep(step) => {
                published.clock.advance(last.elapsed());
                last = Instant::now();
            }
        }
    }
}

fn code(ending: &Ending) -> Option<&'static str> {
    match ending {
        Ending::Soon => None,
        Ending::Now(fault) => Some(fault.code().id),
    }
}

fn watch(published: &Published, peer: Option<Arc<Peer>>, age: Duration) -> Watch {
    Watch::over(peer, published.identities.bundles.clone(), published.clock(), age)
}

/// A peer whose chain was verified by what is published.
fn verified(published: &Published, ca: &Ca) -> Arc<Peer> {
    let now = published.clock().now();
    let chain: Arc<[_]> = Arc::new([ca.svid(CALLER).der]);
    let found = published
        .identities
        .bundles
        .load()
        .value
        .verify(&chain, Purpose::Client, now.unix_seconds())
        .unwrap();
    let proof = Proof::X509 { serial: found.serial, anchor: found.anchor };
    let peer = mint::peer(CALLER, now, Duration::from_hours(1));
    Arc::new(Peer {
        proof,
        chain,
        generation: published.identities.bundles.generation(),
        ..Peer::clone(&peer)
    })
}

#[tokio::test]
async fn a_connection_is_told_at_nine_tenths_of_its_proofs_life_and_cut_at_its_end() {
    let published = Published::new(Vec::new(), TrustBundles::default());
    let peer = mint::peer(CALLER, published.clock().now(), Duration::from_secs(4));
    let mut watch = watch(&published, Some(peer), DAY);

    let (told, after) = next(&published, &mut watch).await;
    assert!(matches!(told, Ending::Soon), "{told:?}");
    assert!((3_200..=3_980).contains(&after.as_millis()), "{after:?}");
    let (cut, then) = next(&published, &mut watch).await;
    assert_eq!(code(&cut), Some(codes::PEER_EXPIRED_OPEN.id));
    assert!((3_900..=6_000).contains(&(after + then).as_millis()), "{:?}", after + then);
}

#[tokio::test]
async fn a_connection_without_a_proof_of_its_own_only_grows_old() {
    let published = Published::new(Vec::new(), TrustBundles::default());
    let mut watch = watch(&published, None, Duration::from_secs(2));

    let (told, after) = next(&published, &mut watch).await;

    assert!(
        matches!(told, Ending::Soon) && (1_600..=3_000).contains(&after.as_millis()),
        "{told:?} {after:?}"
    );
    assert!(time::timeout(QUIET, watch.ending()).await.is_err());
}

#[tokio::test]
async fn a_calendar_that_is_set_forward_ends_a_connection_soon() {
    let published = Published::new(Vec::new(), TrustBundles::default());
    let peer = mint::peer(CALLER, published.clock().now(), Duration::from_hours(8));
    let mut watch = watch(&published, Some(peer), DAY);

    assert!(watch.over_now(published.clock().now()).is_none());
    published.clock.advance_wall(Duration::from_hours(9));

    let (cut, _) = next(&published, &mut watch).await;
    assert_eq!(code(&cut), Some(codes::PEER_EXPIRED_OPEN.id));
    assert!(LONGEST_NAP <= Duration::from_secs(30), "an open wait notices it that late");
}

#[tokio::test]
async fn a_bundle_change_cuts_within_a_second_exactly_what_it_no_longer_verifies() {
    let (old, new) = (Ca::new(DOMAIN), Ca::new(DOMAIN));
    let mut published = Published::new(Vec::new(), bundles(DOMAIN, &[&old, &new]));
    let (peer_of_old, peer_of_new) = (verified(&published, &old), verified(&published, &new));
    let mut of_old = watch(&published, Some(peer_of_old), DAY);
    let mut of_new = watch(&published, Some(peer_of_new), DAY);

    published.bundles.publish(bundles(DOMAIN, &[&new, &Ca::new(DOMAIN)]), begin());

    let (cut, after) = next(&published, &mut of_old).await;
    assert_eq!(code(&cut), Some(codes::BUNDLE_CHANGED.id));
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert!(time::timeout(QUIET, of_new.ending()).await.is_err(), "its anchor still stands");
    published.bundles.publish(TrustBundles::default(), begin());
    assert_eq!(code(&next(&published, &mut of_new).await.0), Some(codes::BUNDLE_CHANGED.id));
}

#[tokio::test]
async fn a_chain_that_another_anchor_verifies_goes_on_when_its_own_is_removed() {
    let root = Ca::new(DOMAIN);
    let sub = root.sub(&mint::authority(DOMAIN));
    let mut published = Published::new(Vec::new(), bundles(DOMAIN, &[&sub]));
    let peer = verified(&published, &sub);
    let peer = Arc::new(Peer { chain: Arc::new([peer.chain[0].clone(), sub.der()]), ..Peer::clone(&peer) });
    let mut watch = watch(&published, Some(peer), DAY);

    published.bundles.publish(bundles(DOMAIN, &[&root]), begin());

    assert!(time::timeout(QUIET, watch.ending()).await.is_err());
}

#[tokio::test]
async fn a_bundle_that_changed_between_handshake_and_watch_is_noticed() {
    let ca = Ca::new(DOMAIN);
    let mut published = Published::new(Vec::new(), bundles(DOMAIN, &[&ca]));
    let peer = verified(&published, &ca);
    published.bundles.publish(TrustBundles::default(), begin());

    let mut watch = watch(&published, Some(peer), DAY);

    assert_eq!(code(&watch.ending().await), Some(codes::BUNDLE_CHANGED.id));
}
