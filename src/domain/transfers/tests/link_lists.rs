//! Lists of links, and of the records under a link.

use super::*;
use crate::domain::wire::LinkPageQuery;

#[tokio::test]
async fn links_are_listed_in_pages() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    for _ in 0..3 {
        fixture.link(&transfer, Some(1)).await;
    }
    let transfer = fixture.stored(transfer.transfer_id).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = fixture.transfers.list_links(&transfer, LinkPageQuery { after, limit: Some(2) }).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.link_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = [transfer.transfer_id.into()].into_iter().chain(transfer.links.clone()).collect();
    assert_eq!(seen, expected);
    let query = LinkPageQuery { after: Some(LinkId::random()), limit: None };
    assert!(matches!(fixture.transfers.list_links(&transfer, query).await, Err(Error::LinkNotFound)));
}

#[tokio::test]
async fn the_records_under_a_link_are_those_of_the_link() {
    let fixture = Fixture::new();
    let (transfer, one) = fixture.linked_transfer(Some(9)).await;
    let two = fixture.link(&transfer, Some(9)).await;
    for _ in 0..3 {
        for link in [&one, &two] {
            fixture.get(link, &Grant::random()).await.unwrap();
        }
    }
    let list = async |id: LinkId, after, limit| {
        let scope = fixture.scope(ActionName::EventList);
        let link = fixture.transfers.find_link(&scope, id).await.unwrap();
        fixture.transfers.list_records_of_link(&link, RecordKind::Event, after, Some(limit)).await.unwrap()
    };
    for link in [&one, &two] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = list(link.id, after, 2).await;
            assert!(page.items.iter().all(|record| record.link_id() == Some(link.id)));
            seen.extend(page.items.iter().map(Record::id));
            let Some(next) = page.next else { break };
            after = Some(next.parse().unwrap());
            assert_eq!(after, seen.last().copied(), "the page ends with a record of another link");
        }
        assert_eq!(seen.len(), 4, "created, and downloaded three times");
    }
    let own = list(transfer.transfer_id.into(), None, 100).await;
    assert!(own.items.iter().all(|record| record.link_id().is_none()));
    assert_eq!(own.items.len(), 2, "created and completed");
}
