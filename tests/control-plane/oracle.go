package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
)

// question is one line of the oracle's input. Exactly one of its members is set.
type question struct {
	// Keyring asks which credentials the kubelet finds for an image, and in what order it tries them.
	Keyring *keyringQuestion `json:"keyring,omitempty"`
	// Keychain asks with which credentials Kyma's Lifecycle Manager pulls from a repository: with those of the keychain that
	// it makes of the Secrets.
	Keychain *keyringQuestion `json:"keychain,omitempty"`
	// Image asks what the kubelet makes of an image reference.
	Image *string `json:"image,omitempty"`
	// Patch asks what a JSON patch makes of an object, with the library that the API server uses.
	Patch *patchQuestion `json:"patch,omitempty"`
}

type keyringQuestion struct {
	Secrets []registrySecret `json:"secrets"`
	// Repository is a name without tag or digest; for the kubelet as ParseImageName returns it.
	Repository string `json:"repository"`
}

type registrySecret struct {
	Type string            `json:"type"`
	Data map[string][]byte `json:"data"`
}

type patchQuestion struct {
	Object json.RawMessage `json:"object"`
	Patch  json.RawMessage `json:"patch"`
}

// reply is one line of the oracle's output, in the order of the questions.
type reply struct {
	Error string `json:"error,omitempty"`
	// Usernames of the credentials found, in the order the kubelet tries them; of a keychain one, or none for anonymous.
	Usernames  []string        `json:"usernames,omitempty"`
	Repository string          `json:"repository,omitempty"`
	Tag        string          `json:"tag,omitempty"`
	Digest     string          `json:"digest,omitempty"`
	Object     json.RawMessage `json:"object,omitempty"`
}

// noRepository is the error of a name that no repository can have, so that nothing is pulled from there.
const noRepository = "no repository"

// answer reads questions until the input ends and answers each on a line of its own.
func answer(input io.Reader, output io.Writer) error {
	decoder := json.NewDecoder(bufio.NewReader(input))
	writer := bufio.NewWriter(output)
	encoder := json.NewEncoder(writer)
	for {
		var asked question
		if err := decoder.Decode(&asked); err == io.EOF {
			return writer.Flush()
		} else if err != nil {
			return fmt.Errorf("a question is not the JSON expected: %w", err)
		}
		if err := encoder.Encode(consult(asked)); err != nil {
			return err
		}
		// A questioner that waits for each answer must get it; one that streams pays little for the flush.
		if err := writer.Flush(); err != nil {
			return err
		}
	}
}

func consult(asked question) reply {
	switch {
	case asked.Keyring != nil:
		return lookUp(*asked.Keyring)
	case asked.Keychain != nil:
		return resolve(*asked.Keychain)
	case asked.Image != nil:
		repository, tag, digest, err := parsers.ParseImageName(*asked.Image)
		if err != nil {
			return reply{Error: err.Error()}
		}
		return reply{Repository: repository, Tag: tag, Digest: digest}
	case asked.Patch != nil:
		return apply(*asked.Patch)
	default:
		return reply{Error: "a question has none of keyring, keychain, image, patch"}
	}
}

func (asked keyringQuestion) pullSecrets() []corev1.Secret {
	pullSecrets := make([]corev1.Secret, 0, len(asked.Secrets))
	for _, secret := range asked.Secrets {
		pullSecrets = append(pullSecrets, corev1.Secret{Type: corev1.SecretType(secret.Type), Data: secret.Data})
	}
	return pullSecrets
}

func lookUp(asked keyringQuestion) reply {
	keyring, err := secrets.MakeDockerKeyring(asked.pullSecrets(), &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		return reply{Error: err.Error()}
	}
	found, _ := keyring.Lookup(asked.Repository)
	usernames := make([]string, 0, len(found))
	for _, credential := range found {
		usernames = append(usernames, credential.Username)
	}
	return reply{Usernames: usernames}
}

func resolve(asked keyringQuestion) reply {
	keychain, err := kubernetes.NewFromPullSecrets(context.Background(), asked.pullSecrets())
	if err != nil {
		return reply{Error: err.Error()}
	}
	repository, err := name.NewRepository(asked.Repository)
	if err != nil {
		return reply{Error: noRepository}
	}
	authenticator, err := keychain.Resolve(repository)
	if err != nil {
		return reply{Error: err.Error()}
	}
	if authenticator == authn.Anonymous {
		return reply{Repository: repository.Name()}
	}
	config, err := authenticator.Authorization()
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{Repository: repository.Name(), Usernames: []string{config.Username}}
}

func apply(asked patchQuestion) reply {
	patch, err := jsonpatch.DecodePatch(asked.Patch)
	if err != nil {
		return reply{Error: err.Error()}
	}
	object, err := patch.Apply(asked.Object)
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{Object: object}
}
