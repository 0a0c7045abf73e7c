//! Events other than requests: schedules, and what a function does not know.

use serde_json::{Value, json};

use super::World;
use crate::support::lambda::InvocationFailure;

fn schedule(source: &str) -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": source, "account": "123456789012", "time": "2026-01-01T12:00:00Z", "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/sgsend-sweep"], "detail": {},
    })
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_schedule_runs_one_sweep() {
    let world = World::new(1, &[]);
    let link = world.upload(&[]);
    world.run(&["delete", &link]).text();
    // Only the schedule entry that the deletion has left is due.
    let swept = world.functions.admin.invoke(&schedule("aws.events")).unwrap();
    assert_eq!((&swept["processed"], &swept["failed"], &swept["complete"]), (&1.into(), &0.into(), &true.into()));
    let again = world.functions.public.invoke(&schedule("aws.scheduler")).unwrap();
    assert_eq!((&again["processed"], &again["complete"]), (&0.into(), &true.into()));
    world.check_store();
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn other_events_are_errors_of_the_function() {
    let world = World::new(1, &[]);
    for event in [json!({}), json!({ "source": "aws.s3", "body": "secret" }), json!({ "version": "1.0", "path": "/" })]
    {
        match world.functions.public.invoke(&event) {
            Err(InvocationFailure::Reported(text)) => assert!(text.contains("format"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.functions.public.instances(), 1, "an error has ended the instance");
    let log = world.functions.public.end_instances();
    assert!(log.contains("invocation failed") && !log.contains("secret"), "{log}");
}
