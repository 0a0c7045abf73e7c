//! The pages of both services as Lambda functions.

use super::{receive, send};
use crate::admin::open;
use crate::support::lambda::LambdaPair;
use crate::support::{Home, Service, chromium, content, open_bucket};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn pages_of_lambda_functions_send_receive_and_administrate() {
    let home = Home::new();
    let functions = LambdaPair::over(home.path(), &open_bucket().to_string(), 2, &[]);
    let service = Service::of(home, functions);
    chromium(async |browser| {
        let original = content(super::SIZE);
        let link = send(browser, &service, &service.page(), &original).await;
        assert!(receive(browser, &link).await == original);
        assert!(service.download(&link, &[]) == original);
        assert_eq!(service.downloads(&link).await, 2);
        open(browser, &service, "overview").await;
        browser.wait_for_text("#facts", "Downloads ever").await;
        let fact = "return Array.from(document.querySelectorAll('#facts > div')).find((fact) =>
            fact.querySelector('dt').textContent === 'Downloads ever').querySelector('dd').textContent";
        assert_eq!(browser.script(fact, ().into()).await, "2");
        browser.click("#end-session").await;
        browser.wait_until_visible("#key").await;
    })
    .await;
    assert_eq!(service.serving.public.instances(), 2, "a page needs several requests at once");
}
