#pragma once

// A task's wait for a descriptor, as seen by src/io/: 8 bytes of the awaiter, which lives in the awaiting frame.
//
// Everything else about the wait is in the descriptor's slot (24 bytes, src/io/slot.hpp), which exists once per
// descriptor. The reactor passes the result of a call to the resumed task without storing it in the frame: the task
// resumes right after the call, so one result per shard is enough.

#include <tare/detail/link.hpp>
#include <tare/detail/wait_state.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::detail {

/// The call to make when the descriptor is ready: ready for writing from `writable` on, otherwise ready for reading.
///
/// An `attempt` is a function of a protocol above, which reads or writes itself (reactor::attempt_by). Until it has a
/// result, its task continues to wait, so a protocol needs no frame to read a message that arrives in pieces. Such a
/// wait may also have no task: it exists in the slot until it is taken back, and its function is called for each event.
enum class io_call : std::uint8_t {
  none,
  readable,
  read,
  read_lease,
  accept,
  receive_from,
  attempt_read,
  writable,
  write_some,
  write,
  write_vector,
  send_to,
  attempt_write,
};

struct alignas(8) io_wait {
  explicit io_wait(link of) noexcept : slot(of) {}

  link slot;             ///< of the descriptor; no_link if it is closed
  link owner = no_link;  ///< the waiting task's wait state; no_link if no task waits
};
static_assert(sizeof(io_wait) == 8);

// The arguments of each call, next to its wait.
struct io_read_wait : io_wait {
  io_read_wait(link of, std::span<std::byte> to) noexcept : io_wait(of), into(to) {}
  std::span<std::byte> into;
};
struct io_write_wait : io_wait {
  io_write_wait(link of, std::span<const std::byte> what) noexcept : io_wait(of), left(what) {}
  std::span<const std::byte> left;
};
struct io_write_vector_wait : io_wait {
  io_write_vector_wait(link of, std::span<const std::span<const std::byte>> what) noexcept : io_wait(of), left(what) {}
  std::span<const std::span<const std::byte>> left;
  std::size_t written_of_first = 0;
};

struct io_send_wait : io_wait {
  io_send_wait(link of, std::span<const std::byte> what, const void* address, std::uint32_t address_size) noexcept
      : io_wait(of),
        size(static_cast<std::uint32_t>(what.size())),
        to_size(address_size),
        bytes(what.data()),
        to(address) {}
  std::uint32_t size;
  std::uint32_t to_size;
  const std::byte* bytes;
  const void* to;  ///< a socket address, or nullptr
};

/// The raw result of a call: two registers. It is converted to a result inline, so that the compiler keeps in the frame
/// only the parts that are used after the next await.
struct io_taken {
  std::byte* buffer;    ///< for read_lease
  std::uint32_t count;  ///< bytes, or the link to the slot of an accepted socket
  int error;
};
/// The result of the call that the running task has just waited for. Throws `cancelled`.
[[nodiscard]] io_taken io_take();

/// True if the call was made and its result is ready.
[[nodiscard]] bool io_try(io_wait& wait, io_call call) noexcept;
/// True if the task is suspended; otherwise the call's result is ready, or the task is cancelled.
[[nodiscard]] bool io_suspend(io_wait& wait, io_call call, wait_state& task) noexcept;

/// The awaitable: `Wait` is one of the structures above; `Take` gets the result from the reactor, or throws
/// `cancelled`.
template <class Wait, io_call Call, auto Take>
class io_awaiter;

template <class Wait, io_call Call, auto Take>
struct [[nodiscard("nothing happens until it is awaited")]] io_request {
  using tare_awaiter = io_awaiter<Wait, Call, Take>;
  Wait wait;
};

template <class Wait, io_call Call, auto Take>
class io_awaiter : private Wait {
 public:
  io_awaiter(const io_request<Wait, Call, Take>& request, wait_state& /*task*/) noexcept : Wait(request.wait) {}

  [[nodiscard]] bool await_ready() noexcept { return io_try(*this, Call); }
  template <class Promise>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return io_suspend(*this, Call, self.promise());
  }
  static auto await_resume() { return Take(); }
};

}  // namespace tare::detail
