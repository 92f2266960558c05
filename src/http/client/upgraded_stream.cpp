#include <tare/http/upgraded_stream.hpp>

#include <tare/net/byte_stream.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace tare::http {

static_assert(net::byte_stream<upgraded_stream>);

task<net::result<net::lease>> upgraded_stream::read() {
  if (!come_.empty()) co_return std::exchange(come_, net::lease());
  co_return co_await over_.way().read();
}

task<net::result<std::size_t>> upgraded_stream::read(std::span<std::byte> buffer) {
  if (buffer.empty()) co_return std::size_t{0};
  if (come_.empty()) {
    auto more = co_await over_.way().read();
    if (!more) co_return std::unexpected(more.error());
    come_ = std::move(*more);
  }
  const std::size_t taken = std::min(buffer.size(), come_.size());
  if (taken != 0) std::memcpy(buffer.data(), come_.bytes().data(), taken);
  come_.consume(taken);
  co_return taken;
}

task<net::result<void>> upgraded_stream::write(std::span<const std::byte> bytes) {
  const std::array<std::span<const std::byte>, 1> pieces{bytes};
  co_return co_await over_.way().write(pieces);
}

task<net::result<void>> upgraded_stream::write(std::span<const std::span<const std::byte>> pieces) {
  return over_.way().write(pieces);
}

}  // namespace tare::http
