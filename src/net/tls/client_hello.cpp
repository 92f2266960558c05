#include "net/tls/client_hello.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tare::net::tls {

namespace {

constexpr std::size_t max_hello_bytes = std::size_t{16} << 10U;
constexpr std::size_t max_record_bytes = std::size_t{1} << 14U;
constexpr std::size_t message_head_bytes = 4;

std::unexpected<std::error_code> fail(std::errc why) noexcept { return std::unexpected(std::make_error_code(why)); }

/// The socket is reported as readable once this many bytes have arrived, or the end. Not every kind of socket supports
/// this.
void announce_from(int fd, std::size_t bytes) noexcept {
  const int count = static_cast<int>(bytes);
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &count, sizeof(count));
}

/// Sets the low-water mark until others use the stream.
class low_water_mark {
 public:
  explicit low_water_mark(int fd) noexcept : fd_(fd) { announce_from(fd_, hello_head_bytes); }
  ~low_water_mark() { announce_from(fd_, 1); }
  low_water_mark(const low_water_mark&) = delete;
  low_water_mark& operator=(const low_water_mark&) = delete;

 private:
  int fd_;
};

}  // namespace

std::size_t check_client_hello(std::span<const std::byte> begin) noexcept {
  constexpr unsigned handshake = 22;
  constexpr unsigned client_hello = 1;
  const auto byte = [begin](std::size_t index) { return std::to_integer<std::size_t>(begin[index]); };
  const std::size_t record = byte(3) << 8U | byte(4);
  if (byte(0) != handshake || byte(1) != 3 || record == 0 || record > max_record_bytes || byte(5) != client_hello)
    return 0;
  if (record < message_head_bytes) return unknown_handshake_bytes;
  const std::size_t message = byte(6) << 16U | byte(7) << 8U | byte(8);
  return message > max_hello_bytes ? 0 : handshake_bytes;
}

task<result<std::size_t>> wait_for_client_hello(net::stream& below) {
  const low_water_mark mark(below.native_handle());
  auto ready = co_await below.readable();
  if (!ready) co_return std::unexpected(ready.error());
  std::array<std::byte, hello_head_bytes> begin{};
  ssize_t got = 0;
  do {
    got = ::recv(below.native_handle(), begin.data(), begin.size(), MSG_PEEK | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno != EAGAIN) co_return std::unexpected(std::error_code(errno, std::system_category()));
  if (got == 0) co_return fail(std::errc::connection_aborted);
  // A socket without a low-water mark is readable earlier; OpenSSL then waits for the rest of the message.
  if (std::cmp_less(got, hello_head_bytes)) co_return unknown_handshake_bytes;
  const std::size_t bytes = check_client_hello(begin);
  if (bytes != 0) co_return bytes;
  // A fatal alert: unexpected_message.
  constexpr std::array alert{std::byte{21}, std::byte{3}, std::byte{3}, std::byte{0},
                             std::byte{2},  std::byte{2}, std::byte{10}};
  (void)below.try_write(alert);
  (void)below.shutdown_write();
  co_return fail(std::errc::protocol_error);
}

}  // namespace tare::net::tls
