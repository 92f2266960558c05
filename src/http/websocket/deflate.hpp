#pragma once

// Compressed messages (RFC 7692, permessage-deflate, without context takeover): each message is compressed by itself,
// so one compressor and one decompressor serve all connections, and no connection keeps any state.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace tare::http::detail {

/// Shared by the connections of a server, or by the sockets of a shard's clients. Made of zlib's streams, which exist
/// once they have been needed: 32 KiB to compress, 40 KiB to decompress.
class message_codec {
 public:
  /// What is compressed refers to no more than the 4 KiB before it, so a peer may keep a window of 2^12.
  static constexpr int window_bits = 12;
  /// Compressing a larger message would keep the other tasks of the shard waiting for too long.
  static constexpr std::size_t max_compressed_bytes = 1U << 20U;

  message_codec() noexcept;
  message_codec(const message_codec&) = delete;
  message_codec& operator=(const message_codec&) = delete;
  ~message_codec();

  /// The compressed message, valid until the next call; empty if it is not smaller, or if memory is short: then the
  /// message is sent as it is.
  [[nodiscard]] std::string_view compress(std::string_view message) noexcept;

  enum class outcome : std::uint8_t {
    complete,
    malformed,  ///< not the result of the algorithm
    too_large,  ///< more than `max_bytes`
    no_room,    ///< `admit` has refused
  };
  /// Asked before more is held: how many bytes in all.
  using admission = std::function<bool(std::size_t bytes)>;
  /// Decompresses a whole message into `to`, and stops once it exceeds `max_bytes`. Throws std::bad_alloc.
  [[nodiscard]] outcome decompress(std::string_view compressed, std::size_t max_bytes, std::string& to,
                                   const admission& admit);

 private:
  struct end_deflate {
    void operator()(z_stream_s* ended) const noexcept;
  };
  struct end_inflate {
    void operator()(z_stream_s* ended) const noexcept;
  };
  [[nodiscard]] bool ready_to_compress();
  void ready_to_decompress();
  [[nodiscard]] bool compress_into(std::string& to, std::string_view message) noexcept;

  std::unique_ptr<z_stream_s, end_deflate> deflating_;
  std::unique_ptr<z_stream_s, end_inflate> inflating_;
  std::string compressed_;
};

}  // namespace tare::http::detail
