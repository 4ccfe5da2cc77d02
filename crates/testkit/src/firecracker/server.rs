//! The program: it listens, and the main thread handles one request after the other, as Firecracker's does.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::answer::Answer;
use super::arguments::Arguments;
use super::http::{Connection, Request};
use super::log::Log;
use super::microvm::{Microvm, VERSION};

/// Firecracker's exit codes.
const FAILED: u8 = 1;
const WRONG_ARGUMENTS: u8 = 153;

/// A request, and where its answer goes.
type Asked = (Request, Sender<Answer>);

/// Does what Firecracker does with these arguments.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!("Error: {fault}");
            return ExitCode::from(WRONG_ARGUMENTS);
        }
    };
    if arguments.version {
        println!("Firecracker v{VERSION}\n");
        return ExitCode::SUCCESS;
    }
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn serve(arguments: Arguments) -> io::Result<()> {
    let mut log = Log::new(arguments.id.clone());
    if let Some(path) = &arguments.log_path {
        log.redirect(path)?;
    }
    log.set_level(&arguments.level);
    log.information("main", &format!("Running Firecracker v{VERSION}, acted by its double"));
    let listener = UnixListener::bind(&arguments.api_socket)?;
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || accept(&listener, &sender));
    handle(&requests, Microvm::new(arguments.id), &mut log);
    Ok(())
}

fn handle(requests: &Receiver<Asked>, mut microvm: Microvm, log: &mut Log) {
    for (request, reply) in requests {
        log.information(
            "fc_api",
            &format!("The API server received a {} request on {:?}.", request.method, request.path),
        );
        let answer = microvm.handle(&request, log);
        match &answer.body {
            Some(body) if answer.status == 400 => {
                log.error("fc_api", &format!("Received Error. Status code: 400. Message: {body}"));
            }
            _ => log.information("fc_api", &format!("The request was executed. Status code: {}.", answer.status)),
        }
        // Who does not wait for an answer gets none.
        let _ = reply.send(answer);
    }
}

fn accept(listener: &UnixListener, sender: &Sender<Asked>) {
    for socket in listener.incoming().flatten() {
        let sender = sender.clone();
        thread::spawn(move || converse(socket, &sender));
    }
}

/// Answers what comes over one connection, until its end.
fn converse(socket: UnixStream, sender: &Sender<Asked>) {
    let mut connection = Connection::new(socket);
    loop {
        let request = match connection.receive() {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                let _ = connection.send(&Answer::fault(&error.to_string()));
                return;
            }
        };
        let (reply, answer) = mpsc::channel();
        let Ok(answer) = sender
            .send((request, reply))
            .map_err(io::Error::other)
            .and_then(|()| answer.recv().map_err(io::Error::other))
        else {
            return;
        };
        if connection.send(&answer).is_err() {
            return;
        }
    }
}
