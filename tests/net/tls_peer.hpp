#pragma once

// The other end of a TLS connection: OpenSSL in memory. Its output is returned as bytes that tests can split, delay or
// replace. After a TLS 1.3 handshake a test can take its keys, to make records that OpenSSL would not make.

#include "net/tls/traffic_keys.hpp"
#include "net/tls_contexts.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::testing {

struct tls_peer_options {
  bool server = false;
  int version = TLS1_3_VERSION;
  const char* suite = nullptr;
  bool with_certificate = false;  ///< of the client itself
  std::uint8_t max_fragment = 0;  ///< requested by the client, as numbered in RFC 6066
  SSL_SESSION* resumed = nullptr;
  int max_version = 0;               ///< 0: `version`
  const char* ciphers = nullptr;     ///< for TLS 1.2
  std::string host = "localhost";    ///< the name that a client requests; empty: none
  std::string certificate = {};      ///< of a client, instead of the default one
  std::string key = {};              ///< of that certificate
  const char* signatures = nullptr;  ///< the signatures that a client can verify
};

class tls_peer {
 public:
  using content = net::tls::content_type;

  explicit tls_peer(const tls_peer_options& options) : options_(options) {
    context_.reset(::SSL_CTX_new(options.server ? ::TLS_server_method() : ::TLS_client_method()));
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_min_proto_version(context, options.version);
    SSL_CTX_set_max_proto_version(context, options.max_version == 0 ? options.version : options.max_version);
    if (options.ciphers != nullptr) {
      EXPECT_EQ(::SSL_CTX_set_cipher_list(context, options.ciphers), 1);
    }
    if (options.signatures != nullptr) {
      EXPECT_EQ(SSL_CTX_set1_sigalgs_list(context, options.signatures), 1);
    }
    if (options.suite != nullptr) {
      EXPECT_EQ(::SSL_CTX_set_ciphersuites(context, options.suite), 1);
    }
    if (options.server || options.with_certificate) {
      const std::string& chain = options.certificate.empty() ? ours().certificate : options.certificate;
      const std::string& key = options.key.empty() ? ours().key : options.key;
      EXPECT_EQ(::SSL_CTX_use_certificate_chain_file(context, chain.c_str()), 1);
      EXPECT_EQ(::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM), 1);
    }
    if (options.max_fragment != 0) ::SSL_CTX_set_tlsext_max_fragment_length(context, options.max_fragment);
    ::SSL_CTX_set_keylog_callback(context, [](const SSL* of, const char* line) {
      static_cast<tls_peer*>(SSL_get_app_data(of))->log_ += std::string(line) + "\n";
    });
    ssl_.reset(::SSL_new(context));
    SSL_set_app_data(ssl_.get(), this);
    in_ = ::BIO_new(::BIO_s_mem());
    out_ = ::BIO_new(::BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    ::SSL_set_bio(ssl_.get(), in_, out_);
    if (options.server) {
      ::SSL_set_accept_state(ssl_.get());
    } else {
      ::SSL_set_connect_state(ssl_.get());
      if (!options.host.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.host.c_str());
      if (options.resumed != nullptr) ::SSL_set_session(ssl_.get(), options.resumed);
    }
  }
  tls_peer(const tls_peer&) = delete;
  tls_peer& operator=(const tls_peer&) = delete;
  ~tls_peer() = default;

  [[nodiscard]] SSL* get() const noexcept { return ssl_.get(); }
  [[nodiscard]] bool is_done() const noexcept { return ::SSL_is_init_finished(ssl_.get()) == 1; }

  void receive(std::span<const std::byte> bytes) {
    if (!bytes.empty()) {
      EXPECT_EQ(::BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())), static_cast<int>(bytes.size()));
    }
  }
  /// The bytes to send.
  [[nodiscard]] std::string sent() {
    std::string bytes(static_cast<std::size_t>(::BIO_ctrl_pending(out_)), '\0');
    if (!bytes.empty()) ::BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  /// Continues the handshake, and returns what it sends.
  [[nodiscard]] std::string step() {
    (void)::SSL_do_handshake(ssl_.get());
    return sent();
  }
  void write(std::string_view text) {
    EXPECT_EQ(::SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  /// Everything that has been received so far.
  [[nodiscard]] std::string read() {
    std::string all;
    std::array<char, 4096> some{};
    for (int got = 1; got > 0;) {
      got = ::SSL_read(ssl_.get(), some.data(), some.size());
      if (got > 0) all.append(some.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

  /// From the key log, for a label such as "CLIENT_TRAFFIC_SECRET_0 ".
  [[nodiscard]] std::vector<unsigned char> secret(std::string_view label) const {
    const std::size_t line = log_.find(label);
    EXPECT_NE(line, std::string::npos);
    const std::string text = log_.substr(line, log_.find('\n', line) - line);
    std::vector<unsigned char> bytes(64);
    std::size_t size = 0;
    EXPECT_EQ(
        ::OPENSSL_hexstr2buf_ex(bytes.data(), bytes.size(), &size, text.substr(text.rfind(' ') + 1).c_str(), '\0'), 1);
    bytes.resize(size);
    return bytes;
  }

  /// From now on OpenSSL is not used. `sent_before`: the number of records that it has already sealed with the keys.
  void take_keys(std::size_t sent_before) {
    suite_ = net::tls::suite_of(::SSL_CIPHER_get_protocol_id(::SSL_get_current_cipher(ssl_.get())));
    set_keys(sending_, options_.server ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ");
    set_keys(receiving_, options_.server ? "CLIENT_TRAFFIC_SECRET_0 " : "SERVER_TRAFFIC_SECRET_0 ");
    sending_.set_sequence(sent_before);
  }
  [[nodiscard]] std::string seal(content type, std::string_view plain) {
    std::string record(plain.size() + net::tls::traffic_keys::overhead_bytes, '\0');
    EXPECT_NE(sending_.seal(suite_, type, std::as_bytes(std::span(plain)), std::as_writable_bytes(std::span(record))),
              0U);
    return record;
  }
  /// Switches to new keys, and returns the message, in records of at most `piece` bytes.
  [[nodiscard]] std::string update_keys(bool requested, std::size_t piece = 5) {
    const std::string message{24, 0, 0, 1, static_cast<char>(requested)};
    std::string records;
    for (std::size_t at = 0; at < message.size(); at += piece) {
      records += seal(content::handshake, std::string_view(message).substr(at, piece));
    }
    EXPECT_TRUE(sending_.update(suite_));
    return records;
  }
  /// The user data of whole records that were sealed with the taken keys.
  [[nodiscard]] std::string open(std::string records) {
    std::string all;
    std::span<std::byte> left = std::as_writable_bytes(std::span(records));
    while (left.size() >= 5) {
      const std::size_t size =
          5 + (std::to_integer<std::size_t>(left[3]) << 8U) + std::to_integer<std::size_t>(left[4]);
      if (size > left.size()) break;
      const auto opened = receiving_.open(suite_, left.first(size));
      left = left.subspan(size);
      if (!opened) return all + "<not opened>";
      if (opened->type == content::handshake && opened->bytes.size() == 5 && opened->bytes[0] == std::byte{24}) {
        EXPECT_TRUE(receiving_.update(suite_));
      }
      if (opened->type == content::alert && opened->bytes.size() == 2) {
        all += "<alert " + std::to_string(std::to_integer<int>(opened->bytes[1])) + ">";
      }
      if (opened->type == content::application_data) {
        all.append(reinterpret_cast<const char*>(opened->bytes.data()), opened->bytes.size());
      }
    }
    return all;
  }

 private:
  struct free_it {
    void operator()(SSL_CTX* freed) const noexcept { ::SSL_CTX_free(freed); }
    void operator()(SSL* freed) const noexcept { ::SSL_free(freed); }
  };

  void set_keys(net::tls::traffic_keys& keys, std::string_view label) const {
    const std::size_t line = log_.find(label);
    ASSERT_NE(line, std::string::npos);
    const std::string text = log_.substr(line, log_.find('\n', line) - line);
    const std::string number = text.substr(text.rfind(' ') + 1);
    std::array<unsigned char, 64> secret{};
    std::size_t size = 0;
    ASSERT_EQ(::OPENSSL_hexstr2buf_ex(secret.data(), secret.size(), &size, number.c_str(), '\0'), 1);
    ASSERT_TRUE(keys.set_secret(std::span(secret).first(size)));
    ASSERT_TRUE(keys.derive(suite_));
  }

  tls_peer_options options_;
  std::unique_ptr<SSL_CTX, free_it> context_;
  std::unique_ptr<SSL, free_it> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string log_;
  net::tls::cipher_suite suite_ = net::tls::cipher_suite::none;
  net::tls::traffic_keys sending_;
  net::tls::traffic_keys receiving_;
};

/// Splits the bytes of a connection into records.
[[nodiscard]] inline std::vector<std::string> records_of(std::string_view bytes) {
  std::vector<std::string> all;
  while (bytes.size() >= 5) {
    const std::size_t size =
        5 + (std::size_t{static_cast<unsigned char>(bytes[3])} << 8U) + static_cast<unsigned char>(bytes[4]);
    all.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return all;
}

}  // namespace tare::testing
