/* A function in C, in every shape a watchdog knows; linked statically it runs in an empty image.
 *
 *   cat      standard input back         lines    each line back, numbered, at once
 *   upper    in capitals                 greet    {"name":"x"} -> {"hello":"x"}
 *   invert   every byte inverted         ignore   never reads
 *   env NAME a variable                  orphan   leaves a process behind and ends
 *   stay     until it is killed
 *   http PORT, burn                      answers HTTP on a port, on its standard input
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void transform(int (*change)(int)) {
  for (int c; (c = getchar()) != EOF;) putchar(change(c));
}
static int same(int c) { return c; }
static int inverted(int c) { return c ^ 0xff; }

static void lines(void) {
  char line[4096];
  for (int n = 1; fgets(line, sizeof line, stdin); ++n) {
    printf("%d %s", n, line);
    fflush(stdout);
  }
}

static void greet(void) {
  char name[256] = "";
  scanf(" {\"name\":\"%255[^\"]", name);
  printf("{\"hello\":\"%s\"}", name);
}

static void orphan(void) {
  const pid_t left = fork();
  if (left == 0) {
    close(0), close(1), close(2);
    pause();
    _exit(0);
  }
  printf("%d\n", (int)left);
}

/* One request from `in`, answered on `out` with its line and its body. 0: there is none. */
static int answer(FILE *in, FILE *out) {
  char first[1024], line[4096];
  size_t length = 0;
  if (!fgets(first, sizeof first, in)) return 0;
  first[strcspn(first, "\r\n")] = 0;
  while (fgets(line, sizeof line, in) && strcmp(line, "\r\n") != 0) {
    if (strncasecmp(line, "Content-Length:", 15) == 0) length = strtoul(line + 15, NULL, 10);
  }
  char *body = malloc(length + 1);
  length = fread(body, 1, length, in);
  fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
          strlen(first) + 1 + length, first);
  fwrite(body, 1, length, out);
  fflush(out);
  free(body);
  return 1;
}

static void end(int signal) {
  static const char words[] = "asked to end\n";
  (void)signal;
  if (write(2, words, sizeof words - 1) < 0) _exit(1);
  _exit(0);
}

static int serve(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) return perror("listen"), 1;
  signal(SIGTERM, end);
  signal(SIGCHLD, SIG_IGN);
  for (int peer; (peer = accept(listener, NULL, NULL)) >= 0; close(peer)) {
    if (fork() != 0) continue;
    signal(SIGTERM, SIG_DFL);
    FILE *in = fdopen(peer, "r"), *out = fdopen(dup(peer), "w");
    while (answer(in, out)) {
    }
    _exit(0);
  }
  return 1;
}

int main(int argc, char **argv) {
  const char *shape = argc > 1 ? argv[1] : "cat", *more = argc > 2 ? argv[2] : "";
  if (!strcmp(shape, "cat")) transform(same);
  else if (!strcmp(shape, "upper")) transform(toupper);
  else if (!strcmp(shape, "invert")) transform(inverted);
  else if (!strcmp(shape, "lines")) lines();
  else if (!strcmp(shape, "greet")) greet();
  else if (!strcmp(shape, "ignore")) puts("not read");
  else if (!strcmp(shape, "env")) puts(getenv(more) ? getenv(more) : "(none)");
  else if (!strcmp(shape, "orphan")) orphan();
  else if (!strcmp(shape, "stay")) pause();
  else if (!strcmp(shape, "http")) return serve(atoi(more));
  else if (!strcmp(shape, "burn")) while (answer(stdin, stdout)) {}
  else return fprintf(stderr, "no shape %s\n", shape), 2;
  return 0;
}
