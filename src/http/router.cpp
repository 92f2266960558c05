#include <tare/http/router.hpp>

#include "http/characters.hpp"
#include "http/exchange.hpp"
#include "http/route.hpp"
#include "http/websocket/upgrade.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tare::http {

using detail::route;

struct router::node {
  std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
  std::unique_ptr<node> any;  ///< "{name}"
  std::vector<route> here;    ///< routes whose paths end with this segment
  std::vector<route> rest;    ///< routes whose paths end with "{name...}" after this segment

  node& literal(std::string_view segment) {
    for (auto& [text, child] : literals) {
      if (text == segment) return *child;
    }
    return *literals.emplace_back(std::string(segment), std::make_unique<node>()).second;
  }
};

struct router::tree {
  node root;
  handler otherwise;
};

namespace {

const route* find(const std::vector<route>& routes, std::string_view method) noexcept {
  const auto found = std::ranges::find(routes, method, &route::method);
  if (found != routes.end()) return &*found;
  return method == "HEAD" ? find(routes, "GET") : nullptr;
}

/// Walks the tree along a path. The depth of a node is the number of the segment, so none is visited twice.
template <class Node>
class walk {
 public:
  walk(std::string_view path, std::string_view method) noexcept : path_(path), method_(method) {}

  /// `at` is where the segment begins, after its slash.
  bool visit(const Node& from, std::size_t position) {
    if (position > path_.size()) return take(from.here);
    const std::size_t end = std::min(path_.find('/', position), path_.size());
    const std::string_view segment = path_.substr(position, end - position);
    for (const auto& [text, child] : from.literals) {
      if (text == segment && visit(*child, end + 1)) return true;
    }
    if (from.any && !segment.empty() && visit(*from.any, end + 1)) return true;
    return take(from.rest);
  }

  /// nullptr if there is none.
  [[nodiscard]] const route* found() const noexcept { return found_; }
  /// The methods of the routes that match except for their method; empty if there are none.
  [[nodiscard]] const std::string& allowed() const noexcept { return allowed_; }

 private:
  bool take(const std::vector<route>& routes) {
    found_ = find(routes, method_);
    if (found_ != nullptr) return true;
    for (const route& other : routes) {
      if (!allowed_.empty()) allowed_ += ", ";
      allowed_ += other.method;
      if (other.method == "GET" && find(routes, "HEAD") == find(routes, "GET")) allowed_ += ", HEAD";
    }
    return false;
  }

  std::string_view path_;
  std::string_view method_;
  const route* found_ = nullptr;
  std::string allowed_;
};

task<> answer_without_route(response& response, unsigned status, std::string allowed) {
  if (!allowed.empty()) response.set("allow", allowed);
  response.status(status);
  if (status == 204) {
    (void)co_await response.send();
  } else {
    (void)co_await response.send("text/plain", status == 404 ? "not found\n" : "method not allowed\n");
  }
}

/// The name in "{name}" or "{name...}"; empty if the segment is literal.
std::string_view param_name(std::string_view segment, bool& rest) {
  rest = false;
  if (!segment.starts_with('{') || !segment.ends_with('}')) {
    if (segment.find_first_of("{}") != std::string_view::npos) {
      throw std::invalid_argument("tare::http::router: a name must be a whole segment: '" + std::string(segment) + "'");
    }
    return {};
  }
  std::string_view name = segment.substr(1, segment.size() - 2);
  if (name.ends_with("...")) {
    rest = true;
    name.remove_suffix(3);
  }
  if (name.empty() || name.find_first_of("{}.") != std::string_view::npos) {
    throw std::invalid_argument("tare::http::router: an invalid name: '" + std::string(segment) + "'");
  }
  return name;
}

}  // namespace

router::router() : tree_(std::make_shared<tree>()) {}

router& router::add(std::string_view method, std::string_view path, handler handle) {
  if (!path.starts_with('/')) {
    throw std::invalid_argument("tare::http::router: a path must begin with a slash: '" + std::string(path) + "'");
  }
  if (method.empty() || !detail::all(method, detail::token_character)) {
    throw std::invalid_argument("tare::http::router: not a method: '" + std::string(method) + "'");
  }
  route added{.method = std::string(method), .params = {}, .answer = std::move(handle)};
  node* cursor = &tree_->root;
  bool rest = false;
  std::size_t segments = 0;
  for (std::size_t begin = 1; begin <= path.size(); ++segments) {
    if (rest) throw std::invalid_argument("tare::http::router: nothing may follow '{name...}'");
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    const std::string_view name = param_name(segment, rest);
    if (name.empty()) {
      cursor = &cursor->literal(segment);
    } else {
      if (added.has_param(name)) {
        throw std::invalid_argument("tare::http::router: a duplicate name in '" + std::string(path) + "'");
      }
      added.params.push_back({.name = std::string(name), .segment = segments, .is_rest = rest});
      if (added.params.size() > max_params)
        throw std::invalid_argument("tare::http::router: a path with more than 8 names");
      if (!rest) {
        if (!cursor->any) cursor->any = std::make_unique<node>();
        cursor = cursor->any.get();
      }
    }
    begin = end + 1;
  }
  std::vector<route>& routes = rest ? cursor->rest : cursor->here;
  if (std::ranges::find(routes, method, &route::method) != routes.end()) {
    throw std::invalid_argument("tare::http::router: a route already exists for " + std::string(method) + " " +
                                std::string(path));
  }
  routes.push_back(std::move(added));
  return *this;
}

router& router::add_websocket(std::string_view path, websocket_handler handle, websocket_options options,
                              bool takes_request) {
  auto route = std::make_shared<const detail::websocket_route>(std::move(handle), std::move(options), takes_request);
  return add("GET", path, [route = std::move(route)](request& request, response& to) {
    return detail::upgrade::to_websocket(*route, request, to);
  });
}

router& router::add_events(std::string_view path, events_handler handle, events_options options, bool takes_request) {
  auto route = std::make_shared<const detail::events_route>(std::move(handle), options, takes_request);
  return add("GET", path, [route = std::move(route)](request& request, response& to) {
    return detail::upgrade::to_events(*route, request, to);
  });
}

router& router::otherwise(handler handle) {
  tree_->otherwise = std::move(handle);
  return *this;
}

task<> router::operator()(request& request, response& response) const {
  const std::string_view path = request.path();
  walk<node> through(path, request.method());
  if (path.starts_with('/') && through.visit(tree_->root, 1)) {
    request.of().head("path").set_route(*through.found());
    return through.found()->answer(request, response);
  }
  if (path == "*" || (!through.allowed().empty() && request.method() == "OPTIONS")) {
    return answer_without_route(response, 204, through.allowed());
  }
  if (!through.allowed().empty()) return answer_without_route(response, 405, through.allowed());
  if (tree_->otherwise) return tree_->otherwise(request, response);
  return answer_without_route(response, 404, {});
}

}  // namespace tare::http
