//! The transport alone, without anything of a registry: a file by its URL.

use std::io::Read;
use std::sync::Arc;

use nex_registry::transport::http::{HeaderMap, Method, Uri, header};
use nex_registry::transport::{
    Answer, Body, Caller, Error, Home, Limit, Options, Origin, RangeSource, Redirects, Request, ResumedReader, Retry,
    Security, Transport,
};
use nex_testkit::http_server::{Server, answer};

struct Resource {
    transport: Transport,
    uri: Uri,
    home: Arc<Home>,
}

impl RangeSource for Resource {
    type Error = Error;

    fn get(&self, offset: u64) -> Result<Answer, Error> {
        let range = [(header::RANGE, format!("bytes={offset}-").parse().unwrap())];
        let headers: HeaderMap = range.into_iter().filter(|_| offset > 0).collect();
        let request = Request {
            method: Method::GET,
            uri: &self.uri,
            headers,
            body: Body::Empty,
            authorization: None,
            guest: None,
            origin: Origin::Own,
            limit: Limit::Home(Arc::clone(&self.home)),
            caller: Caller::Nobody,
            redirects: Redirects::Followed,
        };
        self.transport.send(&request, &self.transport.budget())
    }

    fn refuses_range(_: &Error) -> bool {
        false
    }

    fn resume(error: &Error) -> Retry {
        error.resume()
    }

    fn place(&self) -> String {
        self.uri.to_string()
    }
}

#[test]
fn a_file_is_fetched_by_its_url_and_goes_on_where_it_broke() {
    let server = Server::start(|count, request| match (count, request.range()) {
        (0, _) => answer("302 Found", &[("Location", "/moved")], b""),
        (1, None) => b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n01234".to_vec(),
        (_, Some(5)) => answer("206 Partial Content", &[("Content-Range", "bytes 5-9/10")], b"56789"),
        _ => answer("500 No", &[], b""),
    });
    let options = Options { security: Security::PlainHttp, ..Options::default() };
    let base = format!("http://{}/", server.host());
    let transport = Transport::new(&server.host(), &base, &options).unwrap();
    let resource = Resource { transport, uri: format!("{base}file").parse().unwrap(), home: Arc::default() };
    let mut content = String::new();
    let reader = ResumedReader::open(resource, Some(10), 0, &options.retry, options.timeouts.blob);
    reader.unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "0123456789");
}
