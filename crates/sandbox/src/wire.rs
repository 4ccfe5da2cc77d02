//! Messages between the processes of a run: a length, and a value in postcard's form; or bytes as they are.

use std::io::{self, BufReader, BufWriter, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nex_cancel::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message. A file of a million pieces, or a long script, stays below.
const MAX_MESSAGE: u32 = 256 << 20;

const BUFFER: usize = 256 << 10;

/// The most files that one call passes on (the kernel's `SCM_MAX_FD`).
const MAX_FILES: usize = 253;

/// One end of the line between two processes.
pub struct Channel {
    reader: BufReader<Receiver>,
    writer: BufWriter<UnixStream>,
}

/// What comes from the other side. Reading fails once it is cancelled, also while it waits.
struct Receiver {
    socket: UnixStream,
    cancel: Cancel,
}

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.file().is_some() {
            self.cancel.wait_for(self.socket.as_fd())?;
        }
        self.socket.read(buffer)
    }
}

impl Channel {
    /// Takes over a socket. Files have to be passed before.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        Self::cancelled_by(Cancel::never(), socket)
    }

    /// The same, where nothing is received any more once this is cancelled.
    pub fn cancelled_by(cancel: Cancel, socket: UnixStream) -> io::Result<Self> {
        let writer = BufWriter::with_capacity(BUFFER, socket.try_clone()?);
        Ok(Self { reader: BufReader::with_capacity(BUFFER, Receiver { socket, cancel }), writer })
    }

    /// The socket itself, to wait for.
    pub fn socket(&self) -> &UnixStream {
        &self.reader.get_ref().socket
    }

    /// What ends the waiting for it.
    pub fn cancel(&self) -> &Cancel {
        &self.reader.get_ref().cancel
    }

    /// Sends a message, sooner or later.
    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MAX_MESSAGE);
        let length = length.ok_or_else(|| io::Error::other("a message is too long"))?;
        self.writer.write_all(&length.to_le_bytes())?;
        self.writer.write_all(&bytes)
    }

    /// Sends a message, and all before it, now.
    pub fn send_now(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.send(message)?;
        self.writer.flush()
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// When the other side is gone or does not speak this language.
    pub fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_MESSAGE {
            return Err(io::Error::other("a message is too long"));
        }
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length.into()).read_to_end(&mut bytes)?;
        postcard::from_bytes(&bytes).map_err(io::Error::other)
    }

    /// Whether a message has begun to arrive already.
    pub fn has_buffered(&self) -> bool {
        !self.reader.buffer().is_empty()
    }

    /// Whether the other side has closed its end, or is gone.
    pub fn is_closed(&self) -> rustix::io::Result<bool> {
        let mut sockets = [PollFd::new(self.socket(), PollFlags::empty())];
        rustix::event::poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        Ok(sockets[0].revents().intersects(PollFlags::HUP))
    }

    /// The bytes that come next.
    pub fn reader(&mut self) -> &mut impl Read {
        &mut self.reader
    }

    /// Where bytes go that come next.
    pub fn writer(&mut self) -> &mut impl Write {
        &mut self.writer
    }
}

/// Passes open files to the other side.
pub fn send_files(socket: &UnixStream, files: &[BorrowedFd]) -> io::Result<()> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if files.len() > MAX_FILES || !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other(format!("more than {MAX_FILES} files for one process")));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Takes the open files that the other side passes. They are closed when a program is executed.
pub fn receive_files(socket: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    Ok(files.flatten().collect())
}

#[cfg(test)]
mod tests {
    use nex_cancel::Cancelled;

    use super::*;

    #[test]
    fn messages_files_and_bytes_arrive_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        send_files(&ours, &[file.as_fd()]).unwrap();
        let mut ours = Channel::new(ours).unwrap();
        ours.send(&(7u8, "seven".to_owned())).unwrap();
        ours.writer().write_all(b"raw").unwrap();
        ours.send_now(&8u8).unwrap();

        let files = receive_files(&theirs).unwrap();
        assert_eq!(std::fs::File::from(files.into_iter().next().unwrap()).metadata().unwrap().len(), 7);
        let mut theirs = Channel::new(theirs).unwrap();
        assert_eq!(theirs.receive::<(u8, String)>().unwrap(), (7, "seven".to_owned()));
        let mut raw = [0; 3];
        theirs.reader().read_exact(&mut raw).unwrap();
        assert_eq!(&raw, b"raw");
        assert_eq!(theirs.receive::<u8>().unwrap(), 8);
        drop(ours);
        assert!(theirs.receive::<u8>().is_err());
    }

    #[test]
    fn nobody_waits_once_it_is_cancelled() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let cancel = Cancel::new().unwrap();
        let mut ours = Channel::cancelled_by(cancel.clone(), ours).unwrap();
        let waiting = std::thread::spawn(move || ours.receive::<u8>());
        cancel.cancel();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(Cancelled::is_cause_of(&error), "{error}");
    }

    #[test]
    fn nonsense_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&[0xff; 64]).unwrap();
        assert!(Channel::new(theirs).unwrap().receive::<String>().is_err());
    }
}
