# Where the state of all environments is kept: a bucket of Linode's Object Storage, which speaks S3.
# Each environment names its own key in its versions.tf. Used as
#
#     terraform init -backend-config=../../shared/backend.tf
#
# with the keys of the bucket in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and with
# AWS_REQUEST_CHECKSUM_CALCULATION=when_required and AWS_RESPONSE_CHECKSUM_VALIDATION=when_required:
# without these two, uploads carry a trailer that some services which speak S3 do not take.
#
# Locking (use_lockfile, in versions.tf) writes a lock object that must not exist yet, with
# `If-None-Match: *`. Linode does not document that its buckets keep to it. Ask yours once, as README.md
# shows. If both writes succeed there is no locking: let one person or one pipeline apply at a time.

bucket = "ficharfirm-andamio"

# Any word; the endpoint decides.
region    = "fr-par"
endpoints = { s3 = "https://fr-par-1.linodeobjects.com" }

# There is no AWS behind it to be asked about these.
skip_credentials_validation = true
skip_metadata_api_check     = true
skip_region_validation      = true
skip_requesting_account_id  = true
skip_s3_checksum            = true
