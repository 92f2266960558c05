#pragma once

// Compressed messages (RFC 7692, permessage-deflate, without context takeover): each message is compressed by itself,
// so one compressor and one decompressor serve all connections, and no connection keeps any state.

#include "http/websocket/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace tare::http::detail {

struct end_deflate {
  void operator()(z_stream_s* ended) const noexcept;
};
struct end_inflate {
  void operator()(z_stream_s* ended) const noexcept;
};

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
  [[nodiscard]] bool ready_to_compress();
  void ready_to_decompress();
  [[nodiscard]] bool compress_into(std::string& to, std::string_view message) noexcept;

  std::unique_ptr<z_stream_s, end_deflate> deflating_;
  std::unique_ptr<z_stream_s, end_inflate> inflating_;
  std::string compressed_;
};

/// Decompresses one message piece by piece.
class message_inflater {
 public:
  /// What it holds beside its input: zlib's window of 32 KiB and its tables.
  static constexpr std::size_t state_bytes = 48U << 10U;
  enum class outcome : std::uint8_t {
    some,       ///< or nothing: then it needs input
    last,       ///< the message is complete
    malformed,  ///< not the result of the algorithm
  };

  /// Throws std::bad_alloc.
  message_inflater();

  /// Everything that was added has been decompressed.
  [[nodiscard]] bool needs_input() const noexcept { return at_ == input_.size() && !is_full_ && !has_all_; }
  /// What has arrived meanwhile.
  void add(std::string compressed, bool is_last) noexcept;
  /// What it becomes, at most `max_bytes` of it. Throws std::bad_alloc.
  [[nodiscard]] outcome next(std::string& to, std::size_t max_bytes);
  [[nodiscard]] std::size_t held_bytes() const noexcept { return state_bytes + input_.capacity(); }

  utf8_check text;

 private:
  /// False if it is malformed.
  [[nodiscard]] bool inflate_input();
  [[nodiscard]] outcome end() const noexcept;

  std::unique_ptr<z_stream_s, end_inflate> stream_;
  std::string input_;
  std::size_t at_ = 0;
  bool is_empty_ = true;    ///< nothing has been added
  bool has_all_ = false;    ///< the input is the last
  bool has_tail_ = false;   ///< so is what ends every flushed block
  bool has_ended_ = false;  ///< by a last block
  bool is_full_ = false;    ///< output may be left in the stream
};

/// Compresses one message piece by piece.
class message_deflater {
 public:
  /// What zlib holds.
  static constexpr std::size_t state_bytes = 48U << 10U;
  /// Compressing a larger piece at once would keep the other tasks of the shard waiting.
  static constexpr std::size_t max_piece_bytes = 64U << 10U;
  /// What such a piece becomes is smaller than it and this.
  static constexpr std::size_t max_growth_bytes = 1024;

  /// Throws std::bad_alloc.
  message_deflater();
  /// Appends the compressed piece, from which the peer can decompress all of it. The last one may be empty. Throws
  /// std::bad_alloc.
  void compress(std::string_view piece, bool is_last, std::string& to);

 private:
  std::unique_ptr<z_stream_s, end_deflate> stream_;
};

}  // namespace tare::http::detail
