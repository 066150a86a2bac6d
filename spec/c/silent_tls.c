/* In front of the C library, this has raia not find the TLS library that
   libcurl uses, as where that is neither OpenSSL nor GnuTLS. */
int dladdr(const void *address, void *info);

int dladdr(const void *address, void *info) {
  (void)address;
  (void)info;
  return 0;
}
