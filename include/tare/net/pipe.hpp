#pragma once

// The two ends of a pipe, whose other ends are usually those of a child process (process.hpp).
//
//   std::string all;
//   std::array<std::byte, 4096> buffer;
//   while (auto got = co_await child.output().read(buffer)) {
//     if (*got == 0) break;                                     // the child has closed its end
//     all.append(reinterpret_cast<const char*>(buffer.data()), *got);
//   }
//
// **Bytes** An end is 4. A call that has to wait holds a frame of about 100.

#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace tare::net {

namespace detail {

/// Owns a non-blocking descriptor.
class pipe_end {
 public:
  pipe_end() noexcept = default;
  explicit pipe_end(int fd) noexcept : fd_(fd) {}
  pipe_end(pipe_end&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  pipe_end& operator=(pipe_end&& other) noexcept {
    pipe_end moved(std::move(other));
    std::swap(fd_, moved.fd_);
    return *this;
  }
  pipe_end(const pipe_end&) = delete;
  pipe_end& operator=(const pipe_end&) = delete;
  ~pipe_end() { close(); }

  /// No task may be waiting in a call.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace detail

/// Move-only. One task at a time may read.
class pipe_reader : public detail::pipe_end {
 public:
  using pipe_end::pipe_end;

  /// Waits for bytes and takes as many as there are and fit; 0 if the other end has been closed, or if `buffer` is
  /// empty.
  ///
  /// **Errors** std::errc::bad_file_descriptor if it is closed, and those of read(2). **Cancellation** Nothing has been
  /// taken. **Threads** From a task of any shard.
  task<result<std::size_t>> read(std::span<std::byte> buffer);
};

/// Move-only. One task at a time may write.
class pipe_writer : public detail::pipe_end {
 public:
  using pipe_end::pipe_end;

  /// Writes all bytes.
  ///
  /// **Errors** std::errc::broken_pipe if the other end has been closed; no signal is sent.
  /// std::errc::bad_file_descriptor if this one is closed. Some bytes may have been written. **Cancellation** The same.
  /// **Threads** From a task of any shard.
  task<result<void>> write(std::span<const std::byte> bytes);
};

/// Makes a pipe: what is written to the second can be read from the first.
///
/// **Errors** Those of pipe2(2). **Threads** Any.
[[nodiscard]] result<std::pair<pipe_reader, pipe_writer>> make_pipe() noexcept;

}  // namespace tare::net
