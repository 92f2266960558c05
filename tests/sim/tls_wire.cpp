#include "sim/wire_checkers.hpp"

#include <algorithm>

namespace tare::testing {

namespace {

enum record_type : unsigned char { change_cipher = 20, alert = 21, handshake = 22, data = 23 };

constexpr std::size_t head_bytes = 5;
constexpr std::size_t max_plain = 16384;
constexpr std::size_t max_encrypted = max_plain + 2048;
constexpr std::size_t min_encrypted_1_3 = 17;  // the type, and the tag

unsigned byte_of(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text.at(at)); }
unsigned pair_of(std::string_view text, std::size_t at) { return byte_of(text, at) << 8U | byte_of(text, at + 1); }

}  // namespace

std::string tls_wire::check(end from, std::string_view bytes) {
  half& of = from == end::client ? client_ : server_;
  while (!bytes.empty()) {
    if (of.is_over) return "TLS: bytes after an alert";
    if (of.record.size() < head_bytes) {
      of.record += bytes.front();
      bytes.remove_prefix(1);
      if (const std::string wrong = check_head(from, of); !wrong.empty()) return "TLS: " + wrong;
      if (of.record.size() == head_bytes) of.left = pair_of(of.record, 3);
      continue;
    }
    const std::size_t size = std::min(of.left, bytes.size());
    if (of.record[0] != data) of.record += bytes.substr(0, size);
    bytes.remove_prefix(size);
    of.left -= size;
    if (of.left != 0) continue;
    if (of.record[0] == change_cipher && of.record[head_bytes] != 1) return "TLS: an unknown change of the cipher";
    record_ended(from, of);
    if (only_ != 0 && version_ != 0 && version_ != only_) return "TLS: version " + std::to_string(version_);
  }
  return {};
}

std::string tls_wire::check_head(end from, half& of) const {
  const unsigned type = byte_of(of.record, 0);
  if (of.record.size() == 1) {
    if (type < change_cipher || type > data) return "a record of type " + std::to_string(type);
    if (!of.has_sent && type != handshake && (from == end::client || type != alert))
      return "it does not begin with a hello";
  }
  if (of.record.size() == 2 && of.record[1] != 3) return "a record of an unknown version";
  if (of.record.size() == 3 && (byte_of(of.record, 2) < 1 || byte_of(of.record, 2) > 3))
    return "a record of an unknown version";
  if (of.record.size() != head_bytes) return {};
  const std::size_t size = pair_of(of.record, 3);
  if (size == 0) return "an empty record";
  if (size > max_encrypted || (size > max_plain && !of.has_encrypted && !of.has_changed_cipher))
    return "a record that is too long";
  switch (type) {
    case change_cipher:
      if (size != 1 || of.has_changed_cipher || of.has_encrypted) return "a change of the cipher at the wrong time";
      return {};
    case alert:
      if (version_ == tls_1_3 && of.has_encrypted) return "an unencrypted alert";
      if (!of.has_changed_cipher && size != 2) return "an alert of the wrong size";
      return {};
    case handshake:
      return check_handshake(of);
    default:
      return check_data(of, size);
  }
}

std::string tls_wire::check_handshake(const half& of) const {
  if (of.has_encrypted) return "an unencrypted handshake after encrypted records";
  if (version_ == tls_1_2 && of.has_finished) return "a handshake after the end of the handshake";
  return {};
}

std::string tls_wire::check_data(const half& of, std::size_t size) const {
  if (version_ == 0) return "data before the hello of the server";
  if (version_ == tls_1_2 && !of.has_finished) return "data before the end of the handshake";
  if (version_ == tls_1_3 && size < min_encrypted_1_3) return "an encrypted record that is too short";
  if (version_ == tls_1_3 && size > max_plain + 256) return "a record that is too long";
  return {};
}

void tls_wire::record_ended(end from, half& of) {
  of.has_sent = true;
  switch (of.record[0]) {
    case change_cipher:
      of.has_changed_cipher = true;
      break;
    case alert:
      of.is_over = true;
      break;
    case handshake:
      if (version_ == tls_1_2 && of.has_changed_cipher) of.has_finished = true;
      if (from == end::server && version_ == 0) {
        hello_ += of.record.substr(head_bytes);
        look_at_hello();
      }
      break;
    default:
      of.has_encrypted = true;
  }
  of.record.clear();
}

/// The version is in an extension; under TLS 1.2 there is none.
void tls_wire::look_at_hello() {
  constexpr std::size_t before_session = 1 + 3 + 2 + 32;
  constexpr unsigned supported_versions = 43;
  if (hello_.size() < 4) return;
  const std::size_t size = 4 + (byte_of(hello_, 1) << 16U | pair_of(hello_, 2));
  if (hello_.size() < size) return;
  version_ = pair_of(hello_, 4);
  std::size_t at = before_session + 1 + byte_of(hello_, before_session) + 2 + 1 + 2;
  while (at + 4 <= size) {
    if (pair_of(hello_, at) == supported_versions) version_ = pair_of(hello_, at + 4);
    at += 4 + pair_of(hello_, at + 2);
  }
}

}  // namespace tare::testing
