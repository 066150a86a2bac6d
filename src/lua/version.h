/* The version of raia, for raia._VERSION and the User-Agent. */
#ifndef RAIA_VERSION_H
#define RAIA_VERSION_H

#define RAIA_VERSION "0.1.0"

#endif
