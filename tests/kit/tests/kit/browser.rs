//! The browser notices what a page does wrong, so that a page of which it says nothing is sound.

use poolctl_testkit::browser::{Browser, Screen};

const PHONE: Screen = Screen { width: 390, height: 844, dark: true, print: false };

#[test]
fn faults_of_a_page_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let browser = Browser::start().unwrap();
    let show = |body: &str| {
        let head = r#"<!DOCTYPE html><meta name="viewport" content="width=device-width"><title>x</title>"#;
        std::fs::write(&path, format!("{head}{body}")).unwrap();
        browser.open(&path, PHONE).unwrap();
        (browser.requests().len(), browser.complaints().len())
    };
    assert_eq!(show("<p>all is well</p>"), (1, 0));
    let dark = browser.value("matchMedia('(prefers-color-scheme: dark)').matches").unwrap();
    assert_eq!((dark, browser.value("innerWidth").unwrap()), (true.into(), 390.into()));
    let (requests, complaints) = show(r#"<img src="http://example.com/a.png">"#);
    assert!(requests == 2 && complaints > 0, "{requests} {complaints}: nothing is reached");
    assert_eq!(show("<script>console.error('x')</script>"), (1, 1));
    assert_eq!(show("<script>nothing.there</script>"), (1, 1));
    let policy = r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'">"#;
    // A refused request may be told of too, before it is refused.
    let (requests, complaints) = show(&format!(r#"{policy}<img src="http://example.com/a.png">"#));
    assert!(requests <= 2 && complaints > 0, "{requests} {complaints}: refused");
    show(r#"<div style="width: 900px">wide</div>"#);
    assert!(browser.value("document.documentElement.scrollWidth").unwrap().as_u64().unwrap() > 390);
    assert!(browser.value("no such thing").is_err());
    assert!(browser.picture().unwrap().starts_with("iVBORw0KGgo"), "a PNG");
}
